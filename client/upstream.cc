#include "client/upstream.h"

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "node/nodes_page.h"
#include "node/report_exception.h"
#include "pipe/log.h"
#include "pipe/name_lookup.h"

namespace rp::client {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using pipe::Errc;
using pipe::error_code;

// A pipe that lived this long was healthy: the next failure starts from a short wait again.
constexpr std::chrono::seconds kHealthyAfter{30};

// TCP connect to one address; the handshake has its own limit.
constexpr std::chrono::seconds kConnectTimeout{10};

// After the deadline of a drain, a pipe that was told to close gets this long to do it.
constexpr std::chrono::seconds kCloseWait{2};

// A server may ask its clients to stay away for a while, but not for good.
constexpr std::chrono::milliseconds kStayAwayMax{60'000};

// What waiting calls of a client wait for: there is one peer only.
const std::vector<std::string> kServerKey{"server"};

/// Cancels `object`'s operation when the time is over; nothing happens once it is destroyed.
template <class Object>
class Timeout {
 public:
  Timeout(Object& object, asio::any_io_executor executor, std::chrono::milliseconds time)
      : timer_(executor, time), alive_(std::make_shared<bool>(true)) {
    timer_.async_wait([&object, alive = alive_](error_code ec) {
      if (!ec && *alive) object.cancel();
    });
  }
  ~Timeout() { *alive_ = false; }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<bool> alive_;
};

}  // namespace

Upstream::Upstream(node::Runtime& runtime)
    : runtime_(runtime),
      thread_(*runtime.threads().front()),
      backoff_({.base = runtime.config().reconnect_base, .cap = runtime.config().reconnect_cap},
               std::random_device{}()),
      pause_(std::in_place, thread_.context()) {
  runtime_.health().set(node::Health::kNoPipe, true);
  export_metrics();
}

void Upstream::export_metrics() {
  node::Registry& metrics = runtime_.metrics();
  exported_.push_back(metrics.callback("restpipe_sessions_detached",
                                       "Sessions that wait for a connection to go on with.", {},
                                       [this] { return detached_ ? 1.0 : 0.0; }));
  exported_.push_back(metrics.callback("restpipe_pipe_resumes_total",
                                       "Connections that went on with a session.", {},
                                       [this] { return static_cast<double>(resumes_.load()); }));
}

void Upstream::start() {
  running_ = true;
  asio::co_spawn(thread_.context(), run(), [this](std::exception_ptr failure) {
    node::report_exception("client", failure);
    const std::lock_guard lock(mutex_);
    running_ = false;
    ended_.notify_all();
  });
}

asio::awaitable<void> Upstream::run() {
  while (!leaving_) {
    const auto started_at = pipe::Clock::now();
    stay_away_ = {};
    co_await connect_once();
    if (leaving_) break;
    if (pipe::Clock::now() - started_at >= kHealthyAfter) backoff_.reset();
    pause_->expires_after(std::max(backoff_.next(), stay_away_));
    error_code ignored;
    co_await pause_->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

/// Tries every address in order until one gave a link; serves that until it ends.
asio::awaitable<void> Upstream::connect_once() {
  for (const node::HostPort& server : servers_in_order()) {
    runtime_.instruments().connect_started();
    attempt_at_ = pipe::Clock::now();
    log(LogLevel::info, "client", "Connecting", {{"server", node::to_string(server)}});
    pipe::Result<tcp::socket> socket = co_await dial(server);
    dialled_ = socket ? error_code() : socket.error();
    if (leaving_) co_return;
    if (!socket) {
      attempt_failed(server, socket.error().message());
      continue;
    }
    opened_ = false;
    co_await serve(std::move(*socket), server);
    if (opened_ || leaving_) co_return;
  }
}

/// The one that has our session comes first, and for a while alone: another one would only make a
/// new session and end this one.
std::vector<node::HostPort> Upstream::servers_in_order() const {
  std::vector<node::HostPort> servers = runtime_.config().servers;
  if (!pipe_ || !home_) return servers;
  if (pipe::Clock::now() < lost_at_ + runtime_.config().return_wait) return {*home_};
  const auto home = std::find(servers.begin(), servers.end(), *home_);
  if (home != servers.end()) std::rotate(servers.begin(), home, home + 1);
  return servers;
}

asio::awaitable<pipe::Result<tcp::socket>> Upstream::dial(node::HostPort server) {
  pipe::NameLookup lookup(thread_.context().get_executor());
  stop_dialling_ = [&lookup] { lookup.cancel(); };
  const auto found = co_await lookup.run(server.host, runtime_.config().resolve_timeout);
  stop_dialling_ = nullptr;
  if (!found) {
    const bool too_long = found.error() == asio::error::timed_out;
    co_return too_long ? make_error_code(Errc::resolve_failed) : found.error();
  }
  std::vector<tcp::endpoint> endpoints;
  for (const auto& address : *found) endpoints.emplace_back(address, server.port);
  error_code ec;
  tcp::socket socket(thread_.context());
  {
    const Timeout timeout(socket, thread_.context().get_executor(), kConnectTimeout);
    stop_dialling_ = [&socket] { socket.close(); };
    co_await asio::async_connect(socket, endpoints, asio::redirect_error(asio::use_awaitable, ec));
    stop_dialling_ = nullptr;
  }
  if (ec) co_return ec;
  co_return socket;
}

asio::awaitable<void> Upstream::serve(tcp::socket socket, const node::HostPort& server) {
  server_leaves_ = false;
  pipe::Handshake handshake(std::move(socket), thread_, runtime_.identity().tls(), server.host);
  handshake_ = &handshake;
  ResumeTicket shown;
  error_code why = co_await greet(handshake, shown);
  handshake_ = nullptr;
  stay_away_ = std::min(handshake.greeting().retry_after(), kStayAwayMax);
  if (!why && !settle_session(handshake, shown)) why = Errc::session_lost;
  if (why) {
    const std::string detail = handshake.detail();
    if (!leaving_) {
      attempt_failed(server, why.message() + (detail.empty() ? "" : ": " + detail));
    }
    co_return;
  }
  home_ = server;
  const std::uint64_t count = handshake.greeting().peer().received_frames;
  pipe::Connection connection = handshake.release();
  why = co_await pipe_->carry(std::move(connection), count, std::nullopt);
  stay_away_ = std::min(pipe_->retry_after(), kStayAwayMax);
  link_lost(why);
}

/// `shown` becomes what the server is asked to go on with. Its certificate has said by then that it
/// is the one which has the session: nobody else gets the secret.
asio::awaitable<error_code> Upstream::greet(pipe::Handshake& handshake, ResumeTicket& shown) {
  const auto timeout = runtime_.config().handshake_timeout;
  if (auto ec = co_await handshake.secure(pipe::Clock::now() + timeout)) co_return ec;
  if (handshake.tls().peer_revoked(runtime_.identity().tls()->identity())) {
    pipe::Failure reason{Errc::revoked, make_error_code(Errc::revoked).message()};
    co_await handshake.refuse(std::move(reason));
    co_return Errc::revoked;
  }
  pipe::Hello hello = pipe::make_hello(runtime_.pipe_options().self);
  if (pipe_ && pipe_->peer().node == handshake.peer().node) {
    shown = ticket_;
    hello.session_id = shown.session_id;
    hello.resume_secret = shown.secret;
    hello.received_frames = shown.session_id.empty() ? 0 : pipe_->received_frames();
  }
  std::string frame = encode_hello(hello);
  if (auto ec = co_await handshake.say(std::move(frame))) co_return ec;
  co_return co_await handshake.hear(pipe::Clock::now() + timeout);
}

/// After HELLO: makes the pipe the one of the session that the server has named. False when that is
/// a session which has ended here meanwhile.
bool Upstream::settle_session(pipe::Handshake& handshake, const ResumeTicket& shown) {
  const pipe::Hello& server = handshake.greeting().peer();
  const bool resumed = !shown.session_id.empty() && server.session_id == shown.session_id;
  if (resumed && !pipe_) return false;
  if (!resumed) {
    end_session(Errc::session_lost);
    pipe::PipeOwner& self = *this;
    pipe_ = std::make_unique<pipe::Pipe>(pipe::Session::Side::dialler, handshake.peer(), server,
                                         thread_, pipe_options(), runtime_.handlers(), self);
  }
  ticket_ = {};
  const bool keeps_sessions = runtime_.config().session_grace.count() > 0;
  if (keeps_sessions && has_feature(server, pipe::kFeatureResume)) {
    ticket_ = {.session_id = server.session_id, .secret = server.resume_secret};
  }
  return true;
}

/// What the pipe cannot send any more waits for the next one.
pipe::Pipe::Options Upstream::pipe_options() {
  pipe::Pipe::Options options = runtime_.pipe_options();
  options.returned = [&waiting = runtime_.waiting()](pipe::Event event, std::string body,
                                                     std::shared_ptr<pipe::ReplySink> sink) {
    return waiting.add(kServerKey, std::move(event), std::move(body), {}, std::move(sink));
  };
  return options;
}

void Upstream::attempt_failed(const node::HostPort& server, const std::string& reason) {
  log(LogLevel::warning, "client", "Cannot connect",
      {{"server", node::to_string(server)}, {"reason", reason}});
  runtime_.instruments().connect_failed();
  if (!first_failure_) first_failure_ = std::chrono::system_clock::now();
  runtime_.plugins().connect_fail(failures_++, first_failure_);
}

void Upstream::link_lost(error_code why) {
  lost_at_ = pipe::Clock::now();
  if (opened_) {
    set_target(nullptr);
    runtime_.health().set(node::Health::kNoPipe, true);
    runtime_.plugins().stop_hook(peer_);
    log(LogLevel::warning, "client", "Pipe is down", {{"reason", why.message()}});
  }
  const bool kept = !ticket_.session_id.empty() && !pipe_->is_over();
  detached_ = kept;
  if (kept) {
    node::tell_detached(runtime_.feed(), pipe_->peer(), why);
    // Calls wait for the next link. Whatever the waits before this one were, it was worth dialling.
    if (opened_ && lost_at_ - opened_at_ >= runtime_.config().reconnect_base) backoff_.reset();
  } else {
    end_session(why);
  }
  // An orderly end is no error, as in the reference.
  if (leaving_ || server_leaves_) return;
  runtime_.instruments().pipe_broken();
  if (!first_failure_) first_failure_ = std::chrono::system_clock::now();
  runtime_.plugins().connect_fail(failures_++, first_failure_);
}

void Upstream::end_session(error_code why) {
  detached_ = false;
  if (!pipe_) return;
  const auto ended = std::move(pipe_);
  ticket_ = {};
  home_.reset();
  ended->end(why);
  if (ended->stats().links > 0) node::tell_left(runtime_.feed(), ended->peer(), why);
}

void Upstream::pipe_expired(pipe::Pipe&) {
  log(LogLevel::warning, "client", "The server was away for too long; the session has ended");
  end_session(Errc::session_lost);
}

/// Something else may hold the server's address for a while; when nobody listens there it is gone.
bool Upstream::pipe_peer_gone(pipe::Pipe&) { return dialled_ == asio::error::connection_refused; }

void Upstream::pipe_opened(pipe::Pipe& pipe) {
  opened_ = true;
  opened_at_ = pipe::Clock::now();
  detached_ = false;
  if (pipe.resumes() > 0) ++resumes_;
  log(LogLevel::info, "client", pipe.resumes() > 0 ? "Pipe is up again" : "Pipe is up",
      {{"peer", pipe.peer().node},
       {"address", pipe.peer().address},
       {"software", pipe.peer_hello()->software}});
  runtime_.instruments().connect_succeeded(pipe::Clock::now() - attempt_at_);
  runtime_.plugins().connect_success(std::exchange(failures_, 0), first_failure_);
  first_failure_.reset();
  peer_ = {.name = pipe.peer().node, .address = pipe.peer().address, .port = pipe.peer().port};
  runtime_.plugins().start_hook(peer_);
  runtime_.health().set(node::Health::kNoPipe, false);
  const auto target = pipe.target();
  set_target(target);
  runtime_.waiting().forward(kServerKey, *target);
  node::tell_up(runtime_.feed(), pipe.peer(), pipe.peer_hello()->software, pipe.resumes() > 0);
}

void Upstream::pipe_draining(pipe::Pipe&, const pipe::Failure& reason) {
  log(LogLevel::info, "client", "The server is leaving", {{"reason", reason.detail}});
  server_leaves_ = true;
  set_target(nullptr);  // new calls wait for the next pipe
  runtime_.health().set(node::Health::kNoPipe, true);
}

void Upstream::pipe_pinged(pipe::Pipe&) { runtime_.instruments().heartbeat_started(); }

void Upstream::pipe_ponged(pipe::Pipe&, pipe::Clock::duration round_trip) {
  runtime_.instruments().heartbeat_answered(round_trip);
}

void Upstream::set_target(std::shared_ptr<pipe::EventTarget> target) {
  const std::lock_guard lock(mutex_);
  target_ = std::move(target);
}

std::shared_ptr<pipe::EventTarget> Upstream::target() const {
  const std::lock_guard lock(mutex_);
  return target_;
}

std::shared_ptr<pipe::CallControl> Upstream::submit(pipe::Event&& event, std::string&& body,
                                                    const pipe::Origin& origin,
                                                    std::shared_ptr<pipe::ReplySink>&& sink) {
  if (const auto server = target()) {
    return server->submit(std::move(event), std::move(body), std::move(origin), std::move(sink));
  }
  auto control = runtime_.waiting().add(kServerKey, std::move(event), std::move(body),
                                        std::move(origin), std::move(sink));
  // The pipe may have opened just before the wait began.
  if (const auto server = target()) runtime_.waiting().forward(kServerKey, *server);
  return control;
}

void Upstream::with_pipe(std::function<void(const pipe::Pipe*)> f) {
  thread_.post([this, f = std::move(f)] { f(pipe_.get()); });
}

void Upstream::cut_revoked() {
  thread_.post([this, tls = runtime_.identity().tls()] {
    if (!pipe_ || !pipe_->is_open() || !pipe_->peer_revoked(tls->identity())) return;
    log(LogLevel::warning, "client", "The server's certificate has been revoked");
    pipe_->goodbye({Errc::revoked, make_error_code(Errc::revoked).message()}, /*drain=*/false);
  });
}

void Upstream::begin_drain() {
  leaving_ = true;
  thread_.post([this] {
    pause_->cancel();
    if (stop_dialling_) stop_dialling_();
    if (handshake_) handshake_->close(Errc::draining);
    if (!pipe_) return;
    pipe_->goodbye({Errc::draining, "the client is shutting down"}, /*drain=*/true);
    if (!pipe_->has_link()) end_session(Errc::draining);
  });
}

bool Upstream::wait_until_ended(pipe::Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return ended_.wait_until(lock, deadline, [this] { return !running_; });
}

void Upstream::finish_drain(pipe::Clock::time_point deadline) {
  if (wait_until_ended(deadline)) return;
  thread_.post([this] {
    if (handshake_) handshake_->close(Errc::stopped);
    if (pipe_) pipe_->end(Errc::stopped);
  });
  wait_until_ended(pipe::Clock::now() + kCloseWait);
}

}  // namespace rp::client
