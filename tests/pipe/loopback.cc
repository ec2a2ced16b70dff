#include "tests/pipe/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

namespace rp::pipe::test {
namespace {

namespace asio = boost::asio;

}  // namespace

certs::testing::TestPki& pki() {
  static certs::testing::TestPki instance;
  static const bool with_crl = [] {
    for (const auto& directory : {instance.server(), instance.client()}) {
      certs::testing::TestPki::install_crl(instance.crl(), directory);
    }
    return true;
  }();
  (void)with_crl;
  return instance;
}

std::shared_ptr<const TlsContext> tls(certs::Role role) {
  const auto load = [](certs::Role r) {
    return std::make_shared<const TlsContext>(
        std::make_shared<const certs::Identity>(certs::Identity::load(pki().files(r), r)));
  };
  // Asked for on both ends' threads; the initialisation of a static is safe there.
  static const auto server = load(certs::Role::server);
  static const auto client = load(certs::Role::client);
  return role == certs::Role::server ? server : client;
}

SocketPair::SocketPair() : dialled(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), accepted(-1) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  void* const generic = &address;
  auto* const any = static_cast<sockaddr*>(generic);
  if (::bind(listener, any, size) != 0 || ::listen(listener, 1) != 0 ||
      ::getsockname(listener, any, &size) != 0 || ::connect(dialled, any, size) != 0) {
    ADD_FAILURE() << "no sockets on the loopback interface";
  }
  accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  ::close(listener);
}

// ---- WaitingSink -------------------------------------------------------------------------------

void WaitingSink::reply(ReplyHead&&, std::string&& body) {
  std::unique_lock lock(mutex_);
  body_ = std::move(body);
  complete(std::move(lock));
}

void WaitingSink::begin(ReplyHead&&) {}

void WaitingSink::data(std::string piece) {
  std::shared_ptr<CallControl> control;
  std::size_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    body_ += piece;
    unconsumed_ += piece.size();
    control = control_;
    if (control) bytes = std::exchange(unconsumed_, 0);
  }
  if (control) control->consumed(bytes);
}

void WaitingSink::consume_with(std::shared_ptr<CallControl> control) {
  std::size_t bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    control_ = control;
    bytes = std::exchange(unconsumed_, 0);
  }
  control->consumed(bytes);
}

void WaitingSink::end() { complete(std::unique_lock(mutex_)); }

void WaitingSink::fail(Failure failure) {
  std::unique_lock lock(mutex_);
  failure_ = std::move(failure);
  complete(std::move(lock));
}

void WaitingSink::complete(std::unique_lock<std::mutex> lock) {
  ++endings_;
  control_.reset();
  lock.unlock();
  done_.notify_all();
}

bool WaitingSink::wait() {
  std::unique_lock lock(mutex_);
  return done_.wait_for(lock, kPatience, [this] { return endings_ > 0; });
}

int WaitingSink::endings() const {
  const std::lock_guard lock(mutex_);
  return endings_;
}

std::string WaitingSink::body() const {
  const std::lock_guard lock(mutex_);
  return body_;
}

std::optional<Failure> WaitingSink::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

Errc WaitingSink::failed_with() const {
  const auto f = failure();
  return f ? f->code : Errc{};
}

// ---- LocalHandlers -----------------------------------------------------------------------------

/// One call: gathers a body that follows, then answers.
class LocalHandlers::Call final : public CallControl {
 public:
  Call(LocalHandlers& handlers, std::string noun, std::shared_ptr<ReplySink> sink)
      : handlers_(handlers), noun_(std::move(noun)), sink_(std::move(sink)) {}

  void cancel() override { ++handlers_.cancelled; }
  void consumed(std::size_t) override {}
  void body_data(std::string piece) override {
    body_ += piece;
    sink_->body_consumed(piece.size());
  }
  void body_end() override { handlers_.answer(noun_, std::move(body_), std::move(sink_)); }

 private:
  LocalHandlers& handlers_;
  const std::string noun_;
  std::shared_ptr<ReplySink> sink_;
  std::string body_;
};

LocalHandlers::~LocalHandlers() {
  for (std::thread& thread : threads_) thread.join();
}

std::shared_ptr<CallControl> LocalHandlers::submit(Event&& event, std::string&& body,
                                                   const Origin& origin,
                                                   std::shared_ptr<ReplySink>&& sink) {
  ++submitted;
  {
    const std::lock_guard lock(mutex_);
    last_origin_ = std::move(origin);
  }
  auto call = std::make_shared<Call>(*this, event.noun, sink);
  if (!event.body_follows) answer(event.noun, std::move(body), std::move(sink));
  return call;
}

void LocalHandlers::answer(const std::string& noun, std::string body,
                           std::shared_ptr<ReplySink> sink) {
  if (noun == "echo") sink->reply({}, std::move(body));
  if (noun == "size") sink->reply({}, std::to_string(body.size()));
  if (noun == "page") sink->reply({}, std::string(60'000, 'p'));
  if (noun == "big") sink->reply({}, std::string(1 << 20, 'b'));
  const std::lock_guard lock(mutex_);
  if (noun == "stall") stalled_.push_back(sink);
  if (noun == "thread") {
    threads_.emplace_back(
        [sink, body = std::move(body)]() mutable { sink->reply({}, std::move(body)); });
  }
}

void LocalHandlers::release() {
  std::vector<std::shared_ptr<ReplySink>> sinks;
  {
    const std::lock_guard lock(mutex_);
    sinks.swap(stalled_);
  }
  for (const auto& sink : sinks) sink->reply({}, "released");
}

std::size_t LocalHandlers::stalled() const {
  const std::lock_guard lock(mutex_);
  return stalled_.size();
}

Origin LocalHandlers::last_origin() const {
  const std::lock_guard lock(mutex_);
  return last_origin_;
}

// ---- PipeHost ----------------------------------------------------------------------------------

PipeHost::PipeHost(certs::Role role, Pipe::Options options)
    : role_(role), options_(std::move(options)) {
  thread_.start();
}

PipeHost::~PipeHost() {
  if (started_) {
    close(Errc::stopped);
    wait_end();
  }
  thread_.stop();
}

void PipeHost::close(error_code why) {
  thread_.post([this, why] {
    if (handshake_) handshake_->close(why);
    if (!pipe_) return;
    pipe_->end(why);
    if (!pipe_->has_link()) finish(why, pipe_->detail());
  });
}

void PipeHost::start(int socket, std::string host) {
  started_ = true;
  thread_.post([this, socket, host = std::move(host)] {
    asio::co_spawn(thread_.context(), carry(socket, host), [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
  });
}

Pipe::Options PipeHost::named_options() const {
  Pipe::Options options = options_;
  options.self.node = certs::name(role_);
  options.self.software = "restpipe/test";
  return options;
}

asio::awaitable<void> PipeHost::carry(int socket, std::string host) {
  const bool dials = role_ == certs::Role::client;
  Handshake handshake(asio::ip::tcp::socket(thread_.context(), asio::ip::tcp::v4(), socket),
                      thread_, tls(role_), host);
  handshake_ = &handshake;
  error_code why = co_await greet(handshake);
  handshake_ = nullptr;
  if (why) {
    finish(why, handshake.detail());
    co_return;
  }
  const Hello peer = handshake.greeting().peer();
  if (!pipe_) {
    PipeOwner& self = *this;
    pipe_ =
        std::make_unique<Pipe>(dials ? Session::Side::dialler : Session::Side::acceptor,
                               handshake.peer(), peer, thread_, named_options(), handlers, self);
  }
  std::optional<Hello> hello;
  if (!dials) hello = make_hello(named_options().self);
  Connection connection = handshake.release();
  why = co_await pipe_->carry(std::move(connection), peer.received_frames, std::move(hello));
  if (!pipe_ || pipe_->has_link()) co_return;  // another link has taken over
  if (!keeps_session_ || pipe_->is_over()) {
    pipe_->end(why);
    finish(why, pipe_->detail());
    co_return;
  }
  {
    const std::lock_guard lock(mutex_);
    ++detached_;
    open_ = false;
  }
  changed_.notify_all();
}

void PipeHost::finish(error_code why, std::string detail) {
  pipe_.reset();
  {
    const std::lock_guard lock(mutex_);
    if (!ended_) ended_ = why;
    detail_ = std::move(detail);
  }
  changed_.notify_all();
}

void PipeHost::pipe_expired(Pipe& pipe) { finish(Errc::session_lost, pipe.detail()); }

bool PipeHost::wait_detached(int times) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return detached_ >= times; });
}

asio::awaitable<error_code> PipeHost::greet(Handshake& handshake) {
  const auto timeout = options_.handshake_timeout;
  if (auto ec = co_await handshake.secure(Clock::now() + timeout)) co_return ec;
  if (role_ == certs::Role::client) {
    Hello hello = make_hello(named_options().self);
    if (pipe_) hello.received_frames = pipe_->received_frames();
    std::string frame = encode_hello(hello);
    if (auto ec = co_await handshake.say(std::move(frame))) co_return ec;
  }
  if (auto ec = co_await handshake.hear(Clock::now() + timeout)) co_return ec;
  const error_code refused = admit ? admit(handshake.peer()) : error_code();
  if (!refused) co_return error_code();
  Failure reason{static_cast<Errc>(refused.value()), refused.message()};
  co_await handshake.refuse(std::move(reason));
  co_return refused;
}

void PipeHost::pipe_opened(Pipe& pipe) {
  {
    const std::lock_guard lock(mutex_);
    open_ = true;
    target_ = pipe.target();
  }
  changed_.notify_all();
}

void PipeHost::pipe_draining(Pipe&, const Failure&) { ++draining; }

bool PipeHost::wait_open() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kPatience, [this] { return open_ || ended_; });
  return open_ && !ended_;
}

error_code PipeHost::wait_end() {
  std::unique_lock lock(mutex_);
  const bool ended = changed_.wait_for(lock, kPatience, [this] { return ended_.has_value(); });
  EXPECT_TRUE(ended) << "the pipe does not end";
  return ended ? *ended_ : error_code();
}

bool PipeHost::has_ended() {
  const std::lock_guard lock(mutex_);
  return ended_.has_value();
}

bool PipeHost::at_home(const std::function<void(Pipe&)>& f) {
  std::promise<bool> done;
  thread_.post([&] {
    if (pipe_) f(*pipe_);
    done.set_value(pipe_ != nullptr);
  });
  return done.get_future().get();
}

std::shared_ptr<EventTarget> PipeHost::target() {
  const std::lock_guard lock(mutex_);
  return target_;
}

std::shared_ptr<WaitingSink> PipeHost::call(const std::string& noun, std::string body) {
  auto sink = std::make_shared<WaitingSink>();
  Event event;
  event.verb = "post";
  event.noun = noun;
  event.request_id = "test";
  last_control_ = target()->submit(std::move(event), std::move(body), {}, sink);
  sink->consume_with(last_control_);
  return sink;
}

}  // namespace rp::pipe::test
