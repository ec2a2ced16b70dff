#include "handlers/isolated/isolated_plugin.h"

#include <random>
#include <utility>

#include "handlers/isolated/control_call.h"
#include "handlers/isolated/host_log.h"
#include "pipe/log.h"

namespace rp::handlers {

using pipe::Clock;
using pipe::Errc;

class IsolatedPlugin::Target final : public pipe::EventTarget {
 public:
  explicit Target(std::shared_ptr<IsolatedPlugin> plugin) : plugin_(std::move(plugin)) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    note_origin(origin, event);
    auto call = std::make_shared<HostedCall>(plugin_);
    call->submit(std::move(event), std::move(body), std::move(sink));
    return call;
  }

 private:
  const std::shared_ptr<IsolatedPlugin> plugin_;
};

/// What the host asks of the node. A plugin may have spoilt it, so nothing of it is believed.
class IsolatedPlugin::FromHost final : public pipe::EventTarget {
 public:
  explicit FromHost(IsolatedPlugin& plugin) : plugin_(plugin) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin&,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    const auto line = event.noun == host_noun::log ? decode_log_line(body) : std::nullopt;
    if (line) {
      log_from_host(plugin_.plugin_.name.empty() ? plugin_.path_ : plugin_.plugin_.name, *line);
    } else if (event.noun == host_noun::leave) {
      plugin_.retire();
    }
    sink->reply({}, {});
    return std::make_shared<Nothing>();
  }

 private:
  class Nothing final : public pipe::CallControl {
    void cancel() override {}
    void consumed(std::size_t) override {}
  };

  IsolatedPlugin& plugin_;
};

IsolatedPlugin::IsolatedPlugin(std::string path, HostStart settings, HostTimes times,
                               HostLauncher& launcher, const PipesUp& pipes,
                               std::shared_ptr<pipe::IoThread> thread)
    : path_(std::move(path)),
      settings_(std::move(settings)),
      times_(times),
      launcher_(launcher),
      pipes_(pipes),
      thread_(std::move(thread)),
      from_host_(std::make_unique<FromHost>(*this)),
      pacer_(std::random_device{}(), times.pauses),
      timer_(thread_->context()),
      waiting_timer_(thread_->context()) {}

IsolatedPlugin::~IsolatedPlugin() = default;

std::future<IsolatedPlugin::Loaded> IsolatedPlugin::start() {
  first_start_.emplace();
  auto result = first_start_->get_future();
  thread_->post([self = shared_from_this()] { self->launch(); });
  return result;
}

std::shared_ptr<pipe::EventTarget> IsolatedPlugin::target() {
  return std::make_shared<Target>(shared_from_this());
}

IsolatedPlugin::Status IsolatedPlugin::status() const {
  return {plugin_.name, path_, is_up_, restarts_};
}

template <class F>
void IsolatedPlugin::after(std::chrono::milliseconds pause, F f) {
  timer_->expires_after(pause);
  const auto set = ++timer_set_;
  timer_->async_wait([weak = weak_from_this(), set, f = std::move(f)](const pipe::error_code& ec) {
    const auto self = weak.lock();
    if (!ec && self && self->timer_set_ == set) f(*self);
  });
}

void IsolatedPlugin::cancel_timer() {
  ++timer_set_;  // it may have run out already, and wait for its turn
  timer_->cancel();
}

// The life of a process ------------------------------------------------------------------------

void IsolatedPlugin::launch() {
  if (stopping_) return;
  killed_because_.clear();
  auto host = launcher_.launch(path_, thread_->context());
  if (!host) return ended("could not be started: " + host.error().message(), false);
  process_ = std::move(host->process);
  process_->watch([weak = weak_from_this(), run = ++run_](ChildEnd end) {
    const auto self = weak.lock();
    if (self && self->run_ == run && self->process_) self->process_ended(end);
  });
  pipe::Session::Options options;
  options.side = pipe::Session::Side::acceptor;
  options.heartbeat = times_.heartbeat;
  const auto now = Clock::now();
  auto& owner = static_cast<pipe::SessionOwner&>(*this);
  session_ = std::make_unique<pipe::Session>(std::move(options), host_hello(), *from_host_,
                                             *thread_, owner, now);
  (void)session_->attach(0, now);  // nothing was sent that could be missing
  link_ = std::make_shared<LocalLink>(std::move(host->socket), *thread_);
  link_->start(*session_, [this](pipe::error_code why) { link_ended(why); });
  state_ = State::starting;
  after(times_.start, [](IsolatedPlugin& self) {
    self.kill("did not load the plugin within " + std::to_string(self.times_.start.count()) +
              " ms and was killed");
  });
  call_host(host_noun::start, encode(settings_),
            std::make_shared<ControlCall>([this](const pipe::ReplyHead* head, std::string body) {
              started(head, std::move(body));
            }));
}

void IsolatedPlugin::started(const pipe::ReplyHead* head, std::string body) {
  if (state_ != State::starting || head == nullptr) return;  // its end says why
  if (head->code == kCodeRefused) return refused(std::move(body));
  auto plugin = decode_plugin(body);
  if (!plugin) return kill("said what makes no sense and was killed");
  host_is_up(std::move(*plugin));
}

void IsolatedPlugin::host_is_up(HostedPlugin plugin) {
  cancel_timer();
  state_ = State::up;
  up_since_ = Clock::now();
  is_up_ = true;
  // At the first start it is no news, as for a plugin that is loaded into the node.
  log(first_start_ ? LogLevel::debug : LogLevel::info, "plugin", "Host process is up",
      {{"plugin", plugin.name}, {"path", path_}, {"pid", process_->pid()}});
  const auto known = pipes_.changes();
  changes_.assign(known.begin(), known.end());
  telling_ = false;
  tell_next();
  if (first_start_) {
    plugin_ = std::move(plugin);
    first_start_->set_value({plugin_, {}});
    first_start_.reset();
  } else if (plugin.methods != plugin_.methods) {
    log(LogLevel::warning, "plugin",
        "The plugin has other methods than before; the node knows the former ones until its next "
        "start",
        {{"plugin", plugin_.name}});
  }
  send_waiting();
}

/// The host leaves by itself.
void IsolatedPlugin::refused(std::string line) {
  state_ = State::ending;
  killed_because_ = "refused the plugin";
  after(times_.stop, [](IsolatedPlugin& self) { self.process_->terminate(); });
  if (first_start_) {
    first_start_->set_value({std::nullopt, std::move(line)});
    first_start_.reset();
    stopping_ = true;
  } else {
    log(LogLevel::error, "plugin", "The plugin is refused",
        {{"plugin", plugin_.name}, {"reason", std::move(line)}});
  }
  link_->close();
}

/// Somebody has told the host to end: it does, once its calls are done, and another one follows.
void IsolatedPlugin::retire() {
  if (state_ != State::up) return;
  state_ = State::leaving;
  is_up_ = false;
  log(LogLevel::info, "plugin", "Host process was told to end; it is replaced",
      {{"plugin", plugin_.name}, {"pid", process_->pid()}});
  ask_to_stop(times_.retire);
}

void IsolatedPlugin::ask_to_stop(std::chrono::milliseconds drain) {
  after(drain + times_.stop, [](IsolatedPlugin& self) { self.process_->terminate(); });
  // The plugin hears of all that has happened before, as in the node.
  for (const auto& change : std::exchange(changes_, {})) {
    call_host(host_noun::state, encode(change), std::make_shared<ControlCall>(nullptr));
  }
  call_host(host_noun::stop, encode(drain),
            std::make_shared<ControlCall>([this](const pipe::ReplyHead* head, std::string) {
              if (head != nullptr) link_->close();  // the host waits for that
            }));
}

void IsolatedPlugin::link_ended(pipe::error_code why) {
  if (why == Errc::heartbeat_missed) return kill("did not answer and was killed");
  if (why != Errc::link_lost && why.category() == pipe::category()) {
    return kill("broke the protocol (" + session_->end_detail() + ") and was killed");
  }
  is_up_ = false;
  if (state_ != State::leaving) state_ = State::ending;
  process_->terminate();  // in case that it has closed its socket only
}

void IsolatedPlugin::kill(std::string why) {
  if (!process_) return;
  is_up_ = false;
  state_ = State::ending;
  killed_because_ = std::move(why);
  process_->kill();
}

void IsolatedPlugin::process_ended(ChildEnd end) {
  const bool as_told = state_ == State::leaving && end.signal == 0 && end.status == 0;
  if (session_) link_->receive_rest();  // answers that it gave before
  link_->close();
  ended(killed_because_.empty() ? "ended by " + to_text(end) : killed_because_, as_told);
}

/// There is no process, or none any more.
void IsolatedPlugin::ended(const std::string& how, bool as_told) {
  const bool was_up = up_since_ != Clock::time_point();
  const auto up_for = was_up ? Clock::now() - up_since_ : Clock::duration(0);
  up_since_ = {};
  is_up_ = false;
  state_ = State::down;
  last_end_ = how;
  cancel_timer();
  changes_.clear();
  if (first_start_) {
    first_start_->set_value(
        {std::nullopt, "plugin " + path_ + " refused: its host process " + how});
    first_start_.reset();
    stopping_ = true;
  }
  const auto pause = as_told ? std::chrono::milliseconds(0) : pacer_.next(up_for);
  restart_at_ = Clock::now() + pause;
  if (!stopping_) log_end(how, as_told, pause);
  if (session_) session_->end(Clock::now());
  session_.reset();
  link_.reset();
  process_.reset();
  if (stopping_) return finish_stop();
  if (pause > times_.restart_wait) fail_waiting(unavailable());
  after(pause, [](IsolatedPlugin& self) {
    ++self.restarts_;
    self.launch();
  });
}

void IsolatedPlugin::log_end(const std::string& how, bool as_told,
                             std::chrono::milliseconds pause) const {
  const auto calls = session_ ? session_->stats().calls_out_in_flight : 0;
  log(as_told ? LogLevel::info : LogLevel::error, "plugin", "Host process has ended",
      {{"plugin", plugin_.name},
       {"path", path_},
       {"how", how},
       {"calls_in_flight", calls},
       {"restart_in_ms", pause.count()}});
}

void IsolatedPlugin::stop(std::function<void()> done) {
  stopping_ = true;
  stopped_ = std::move(done);
  fail_waiting({Errc::stopped, "this node is shutting down; the handler has not run"});
  switch (state_) {
    case State::down:
      return finish_stop();
    case State::up:
      state_ = State::leaving;
      is_up_ = false;
      return ask_to_stop(std::chrono::milliseconds(0));
    case State::starting:
      return process_->terminate();
    case State::leaving:
    case State::ending:
      return after(times_.stop, [](IsolatedPlugin& self) { self.process_->terminate(); });
  }
}

void IsolatedPlugin::finish_stop() {
  if (!stopped_) return;  // refused at its first start, and not yet told to stop
  ++timer_set_;
  timer_.reset();
  waiting_timer_.reset();
  std::exchange(stopped_, nullptr)();
}

// What the host is told ------------------------------------------------------------------------

bool IsolatedPlugin::call_host(std::string_view noun, std::string body,
                               std::shared_ptr<pipe::Caller> caller) {
  return session_->call(host_event(noun), std::move(body), std::move(caller), Clock::now())
      .has_value();
}

void IsolatedPlugin::tell(const StateChange& change) {
  if (state_ != State::up) return;  // the next host hears what is so then
  if (changes_.size() >= PluginSet::kCallbacksMax + 2 * pipes_.size()) {
    log(LogLevel::warning, "handlers", "state callback dropped", {{"plugin", plugin_.name}});
    return;
  }
  changes_.push_back(change);
  tell_next();
}

/// One at a time: so they arrive in order, and the rest waits here.
void IsolatedPlugin::tell_next() {
  if (telling_ || changes_.empty() || state_ != State::up) return;
  telling_ = true;
  const auto body = encode(changes_.front());
  changes_.pop_front();
  const auto told = [this, run = run_](const pipe::ReplyHead*, const std::string&) {
    if (run != run_) return;
    telling_ = false;
    tell_next();
  };
  if (!call_host(host_noun::state, body, std::make_shared<ControlCall>(told))) telling_ = false;
}

void IsolatedPlugin::set_log_level(LogLevel level) {
  settings_.log_level = level;
  if (state_ != State::up && state_ != State::starting) return;
  call_host(host_noun::log_level, encode(level), std::make_shared<ControlCall>(nullptr));
}

void IsolatedPlugin::session_woke() {
  if (link_) link_->wake();
}

// Calls ----------------------------------------------------------------------------------------

void IsolatedPlugin::take(std::shared_ptr<HostedCall> call) {
  if (state_ == State::up && call->send(*session_, Clock::now())) return;
  wait(std::move(call));
}

void IsolatedPlugin::wait(std::shared_ptr<HostedCall> call) {
  if (stopping_) {
    return call->fail({Errc::stopped, "this node is shutting down; the handler has not run"});
  }
  const auto until = Clock::now() + times_.restart_wait;
  if (state_ == State::down && restart_at_ > until) return call->fail(unavailable());
  if (waiting_.size() >= kWaitingMax) {
    return call->fail({Errc::overloaded, "too many calls wait for the host process of plugin " +
                                             plugin_.name + "; the handler has not run"});
  }
  waiting_.push_back({std::move(call), until});
  if (waiting_.size() == 1) arm_waiting_timer();
}

void IsolatedPlugin::send_waiting() {
  while (!waiting_.empty() && state_ == State::up) {
    const auto call = waiting_.front().call;
    if (!call->is_over() && !call->send(*session_, Clock::now())) return;
    waiting_.pop_front();
  }
}

void IsolatedPlugin::fail_waiting(const pipe::Failure& failure) {
  for (auto& waiting : std::exchange(waiting_, {})) waiting.call->fail(failure);
}

void IsolatedPlugin::arm_waiting_timer() {
  waiting_timer_->expires_at(waiting_.front().until);
  waiting_timer_->async_wait([weak = weak_from_this()](const pipe::error_code& ec) {
    const auto self = weak.lock();
    if (ec || !self || !self->waiting_timer_) return;
    const auto now = Clock::now();
    while (!self->waiting_.empty() && self->waiting_.front().until <= now) {
      const auto call = std::move(self->waiting_.front().call);
      self->waiting_.pop_front();
      call->fail(self->unavailable());
    }
    if (!self->waiting_.empty()) self->arm_waiting_timer();
  });
}

pipe::Failure IsolatedPlugin::unavailable() const {
  return {Errc::handler_unavailable, "the host process of plugin " + plugin_.name + " " +
                                         (last_end_.empty() ? "is not up" : last_end_) +
                                         " and is not back yet; the handler has not run"};
}

pipe::Failure IsolatedPlugin::translated(pipe::Failure failure) const {
  if (stopping_) {
    if (failure.code == Errc::session_lost) return {Errc::stopped, "this node is shutting down"};
    return failure;
  }
  switch (failure.code) {
    case Errc::draining:  // the host was told to end while the call was on its way
      return {Errc::handler_unavailable, "the host process of plugin " + plugin_.name +
                                             " was told to end; the handler has not run"};
    case Errc::stopped:
      return {Errc::handler_crashed, "the host process of plugin " + plugin_.name +
                                         " was told to end before the reply was complete; the "
                                         "handler may have run"};
    case Errc::session_lost:
      return {Errc::handler_crashed,
              "the host process of plugin " + plugin_.name + " " + last_end_ +
                  " before the reply was complete; the handler may have run"};
    default:
      return failure;
  }
}

}  // namespace rp::handlers
