#include "handlers/isolated/plugin_host.h"

#include <exception>
#include <utility>

#include "handlers/isolated/control_call.h"

namespace rp::handlers {
namespace {

using pipe::Clock;

// The node watches its hosts; a host goes when its socket does. A stopped node may be silent long.
constexpr pipe::Heartbeat kHeartbeat{std::chrono::milliseconds(1'000), std::chrono::hours(24)};

// How long the plugin's last callbacks may take, as in the node.
constexpr std::chrono::seconds kLastCallbacks{1};
// How long the node may take to read the last lines and to close.
constexpr std::chrono::seconds kLastWords{1};

/// For events that are answered already.
class NoCall final : public pipe::CallControl {
 public:
  void cancel() override {}
  void consumed(std::size_t) override {}
};

pipe::Session::Options session_options() {
  pipe::Session::Options options;
  options.side = pipe::Session::Side::dialler;  // whose peer may name another caller
  options.heartbeat = kHeartbeat;
  return options;
}

/// "get_time_utc" as its verb and noun.
HostedMethod method_of(const std::string& name, const Dispatcher& dispatcher) {
  const auto joint = name.find('_');
  HostedMethod method{name.substr(0, joint), name.substr(joint + 1), false};
  method.idempotent = dispatcher.is_idempotent(method.verb, method.noun);
  return method;
}

}  // namespace

PluginHost::PluginHost(Options options, FileDescriptor socket)
    : options_(std::move(options)),
      session_(session_options(), host_hello(), *this, thread_, *this, Clock::now()),
      link_(std::make_shared<LocalLink>(std::move(socket), thread_)),
      gone_timer_(thread_.context()) {}

PluginHost::~PluginHost() { thread_.stop(); }

PluginHost::End PluginHost::run() {
  thread_.post([this] {
    (void)session_.attach(0, Clock::now());  // nothing was sent that could be missing
    link_->start(session_, [this](pipe::error_code) { node_is_gone(); });
  });
  thread_.start();
  std::unique_lock lock(mutex_);
  while (!end_) {
    changed_.wait(lock, [this] { return !work_.empty(); });  // the node's end is work too
    const auto work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
  changed_.wait_for(lock, kLastWords, [this] { return node_gone_; });
  lock.unlock();
  thread_.stop();
  return *end_;
}

void PluginHost::on_main(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void PluginHost::node_is_gone() {
  {
    const std::lock_guard lock(mutex_);
    node_gone_ = true;
  }
  on_main([this] { stop({}, nullptr); });
  gone_timer_.expires_after(kGoneGrace);
  gone_timer_.async_wait([this](const pipe::error_code& ec) {
    if (!ec) options_.abandoned();
  });
}

void PluginHost::session_woke() { link_->wake(); }

std::shared_ptr<pipe::CallControl> PluginHost::submit(pipe::Event&& event, std::string&& body,
                                                      const pipe::Origin& origin,
                                                      std::shared_ptr<pipe::ReplySink>&& sink) {
  if (event.target == kHostTarget) {
    asked(event, std::move(body), std::move(sink));
    return std::make_shared<NoCall>();
  }
  auto from = take_origin(event, origin.node);
  return dispatcher_->submit(std::move(event), std::move(body), from, std::move(sink));
}

void PluginHost::asked(const pipe::Event& event, std::string body,
                       std::shared_ptr<pipe::ReplySink> sink) {
  if (event.noun == host_noun::start) {
    if (const auto settings = decode_start(body)) {
      return on_main([this, settings = *settings, sink] { start(settings, sink); });
    }
  } else if (event.noun == host_noun::stop) {
    if (const auto drain = decode_drain(body)) {
      return on_main([this, drain = *drain, sink] { stop(drain, sink); });
    }
  } else if (event.noun == host_noun::state) {
    if (auto change = decode_state(body)) plugins_->tell(std::move(*change));
  } else if (event.noun == host_noun::log_level) {
    if (const auto level = decode_log_level(body)) set_log_level(*level);
  }
  sink->reply({}, {});
}

void PluginHost::start(const HostStart& settings, const std::shared_ptr<pipe::ReplySink>& sink) {
  if (options_.own_log) log_ = std::make_unique<HostLog>(session_, thread_, settings.log_level);
  DispatcherOptions options;
  options.workers = settings.workers;
  options.queued_max = settings.queued_max;
  options.body_bytes_max = settings.body_bytes_max;
  options.idempotency_window = std::chrono::seconds(0);  // the node has the keys
  dispatcher_ = std::make_unique<Dispatcher>(options);
  plugins_ = std::make_unique<PluginSet>(settings.role, settings.node, *dispatcher_);
  try {
    plugins_->load(options_.path);
  } catch (const std::exception& refusal) {
    sink->reply({kCodeRefused, "text/plain", {}}, refusal.what());
    const std::lock_guard lock(mutex_);
    end_ = End::refused;
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  sink->reply({0, "application/json", {}}, encode(loaded()));
}

HostedPlugin PluginHost::loaded() const {
  HostedPlugin plugin{plugins_->names().front(), {}};
  for (const auto& name : dispatcher_->methods()) {
    plugin.methods.push_back(method_of(name, *dispatcher_));
  }
  return plugin;
}

void PluginHost::stop(std::chrono::milliseconds drain,
                      const std::shared_ptr<pipe::ReplySink>& sink) {
  bool stuck = false;
  if (dispatcher_) {
    stuck = dispatcher_->stop(drain) > 0;
    plugins_->stop(kLastCallbacks, stuck);
  }
  if (sink) sink->reply({}, {});
  const std::lock_guard lock(mutex_);
  end_ = stuck ? End::stuck : End::stopped;
}

bool PluginHost::leave() {
  const std::lock_guard lock(mutex_);
  if (!started_ || leaving_) return false;
  leaving_ = true;
  return session_
      .call(host_event(host_noun::leave), {}, std::make_shared<ControlCall>(nullptr), Clock::now())
      .has_value();
}

}  // namespace rp::handlers
