#include "server/pipe_server.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "node/report_exception.h"
#include "pipe/log.h"
#include "server/accept_rate.h"

namespace rp::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using pipe::Errc;
using pipe::error_code;

// The kernel's queue of connections not yet accepted: a burst of returning clients fits.
constexpr int kBacklog = 4096;

// Wait after a failed accept, for example out of descriptors: the kernel keeps the queue.
constexpr std::chrono::milliseconds kAcceptPause{100};

// While the door is crowded, it is looked at so often: a few handshakes' time.
constexpr std::chrono::milliseconds kCrowdPause{5};

// After the deadline of a drain, pipes that were told to close get this long to do it.
constexpr std::chrono::seconds kCloseWait{2};

}  // namespace

/// One connection from its acceptance until its client has said who it is and what it wants.
class PipeServer::Arrival {
 public:
  Arrival(PipeServer& server, Shelf& shelf, tcp::socket socket, std::uint64_t link)
      : server_(server),
        shelf_(shelf),
        link_(link),
        handshake_(std::move(socket), *shelf.thread, server.runtime_.identity().tls(), ""),
        ticket_(server.admission_.enter(handshake_.peer().address, pipe::Clock::now(),
                                        [&shelf, link] { close_crowded_out(shelf, link); })) {
    shelf_.arrivals[link_] = this;
  }
  ~Arrival() {
    shelf_.arrivals.erase(link_);
    server_.admission_.leave(ticket_);
  }
  Arrival(const Arrival&) = delete;
  Arrival& operator=(const Arrival&) = delete;

  pipe::Handshake& handshake() { return handshake_; }

  asio::awaitable<error_code> greet() {
    const auto timeout = server_.runtime_.config().handshake_timeout;
    if (auto ec = co_await handshake_.secure(pipe::Clock::now() + timeout)) co_return ec;
    const error_code ec = co_await handshake_.hear(pipe::Clock::now() + timeout);
    if (!ec) server_.admission_.let_in(ticket_, pipe::Clock::now());
    co_return ec;
  }

 private:
  /// From any thread.
  static void close_crowded_out(Shelf& shelf, std::uint64_t link) {
    shelf.thread->post([&shelf, link] {
      const auto found = shelf.arrivals.find(link);
      if (found != shelf.arrivals.end()) found->second->handshake().close(Errc::overloaded);
    });
  }

  PipeServer& server_;
  Shelf& shelf_;
  const std::uint64_t link_;
  pipe::Handshake handshake_;
  const Admission::Ticket ticket_;
};

PipeServer::PipeServer(node::Runtime& runtime, Registry& registry)
    : runtime_(runtime),
      registry_(registry),
      admission_({.total_max = runtime.config().unauthenticated_max,
                  .per_source_max = runtime.config().unauthenticated_per_source_max}),
      store_(runtime.config().pipes_max),
      idle_(std::in_place, runtime.threads().front()->context(), runtime.plugins()),
      announcements_(std::in_place, runtime, registry, *idle_),
      acceptor_(std::in_place, runtime.threads().front()->context()) {
  for (const auto& thread : runtime.threads()) {
    shelves_.push_back(std::make_unique<Shelf>(Shelf{shelves_.size(), thread.get(), {}, {}}));
  }
}

std::string PipeServer::start() {
  const node::HostPort& listen = runtime_.config().listen;
  error_code ec;
  tcp::resolver resolver(runtime_.main_context());
  const auto found =
      resolver.resolve(listen.host, std::to_string(listen.port), tcp::resolver::passive, ec);
  if (!ec) {
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_->open(endpoint.protocol(), ec);
    if (!ec) acceptor_->set_option(tcp::acceptor::reuse_address(true), ec);
    // One listener for both families where the operator asked for all IPv6 addresses.
    if (!ec && endpoint.address() == asio::ip::address_v6::any()) {
      acceptor_->set_option(asio::ip::v6_only(false), ec);
    }
    if (!ec) acceptor_->bind(endpoint, ec);
    if (!ec) acceptor_->listen(kBacklog, ec);
  }
  if (ec) {
    throw node::StartupError(node::ExitCode::cannot_listen,
                             "cannot listen for pipes on " + node::to_string(listen) + ": " +
                                 ec.message() + " (choose another address with --listen)");
  }
  export_metrics();
  idle_->count_changed(0);
  asio::co_spawn(acceptor_->get_executor(), accept_loop(), [](const std::exception_ptr& failure) {
    node::report_exception("server", failure);
  });
  return node::to_string(node::HostPort{listen.host, acceptor_->local_endpoint().port()});
}

asio::awaitable<void> PipeServer::accept_loop() {
  AcceptRate rate(runtime_.config().accept_rate, pipe::Clock::now());
  while (!draining_) {
    while (admission_.should_wait(pipe::Clock::now())) co_await pause(kCrowdPause);
    const std::uint64_t link = accepted_ + 1;
    Shelf& shelf = *shelves_[link % shelves_.size()];
    error_code ec;
    tcp::socket socket = co_await acceptor_->async_accept(
        shelf.thread->context(), asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) co_return;
    if (ec) {
      co_await wait_out(ec);
      continue;
    }
    ++accepted_;
    auto accepted = std::make_shared<tcp::socket>(std::move(socket));
    spawn(shelf,
          [this, accepted, &shelf, link] { return welcome(std::move(*accepted), shelf, link); });
    const auto wait = rate.taken(pipe::Clock::now());
    if (wait > wait.zero()) co_await pause(wait);
  }
}

asio::awaitable<void> PipeServer::wait_out(error_code accept_error) {
  static thread_local pipe::Clock::time_point logged_at;
  if (pipe::Clock::now() - logged_at >= std::chrono::seconds(1)) {
    logged_at = pipe::Clock::now();
    log(LogLevel::warning, "server", "Cannot accept connections; trying again",
        {{"reason", accept_error.message()}});
  }
  co_await pause(kAcceptPause);
}

asio::awaitable<void> PipeServer::pause(pipe::Clock::duration time) {
  asio::steady_timer timer(acceptor_->get_executor(), time);
  error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void PipeServer::spawn(Shelf& shelf, std::function<asio::awaitable<void>()> work) {
  {
    const std::lock_guard lock(mutex_);
    ++serving_;
  }
  asio::co_spawn(shelf.thread->context(), std::move(work), [this](std::exception_ptr failure) {
    node::report_exception("server", failure);
    const std::lock_guard lock(mutex_);
    --serving_;
    ended_.notify_all();
  });
}

asio::awaitable<void> PipeServer::welcome(tcp::socket socket, Shelf& shelf, std::uint64_t link) {
  Arrival arrival(*this, shelf, std::move(socket), link);
  pipe::Handshake& handshake = arrival.handshake();
  error_code why = co_await arrival.greet();
  const bool greeted = !why;
  if (greeted) why = place(shelf, handshake, link);
  if (!why) co_return;
  log(LogLevel::info, "server", "Connection refused",
      {{"address", handshake.peer().address},
       {"port", handshake.peer().port},
       {"peer", handshake.peer().node},
       {"reason", why.message()},
       {"detail", handshake.detail()}});
  if (!greeted) co_return;  // it has been told, where that could be
  pipe::Failure reason{static_cast<Errc>(why.value()), why.message()};
  co_await handshake.refuse(std::move(reason));
}

/// Hands the connection to the session that the client asks for, or to a new one. An error refuses
/// the client.
error_code PipeServer::place(Shelf& shelf, pipe::Handshake& handshake, std::uint64_t link) {
  if (draining_) return Errc::draining;
  const auto tls = runtime_.identity().tls();
  if (handshake.tls().peer_revoked(tls->identity())) return Errc::revoked;
  const pipe::Origin peer = handshake.peer();
  const pipe::Hello hello = handshake.greeting().peer();
  const bool resumes = has_feature(hello, pipe::kFeatureResume);
  const auto claimed = store_.claim(resumes ? hello.session_id : "", peer.node, link);
  if (claimed) {
    Shelf& home = *shelves_[claimed->thread];
    home.thread->post([this, &home, session = claimed->number,
                       greeted = Greeted{link, handshake.release(), hello}]() mutable {
      resume(home, session, std::move(greeted));
    });
    return {};
  }
  if (claimed.error() == Errc::replaced) return claimed.error();
  auto session = new_session(shelf, link, peer, hello);
  if (!session) return session.error();
  serve(shelf, std::move(*session), {link, handshake.release(), hello});
  return {};
}

/// On the thread of the session that a client asks for. A secret that is not good, and a session
/// that has just ended, make a new one.
void PipeServer::resume(Shelf& home, std::uint64_t session, Greeted greeted) {
  if (draining_) return;
  const auto found = home.sessions.find(session);
  if (found != home.sessions.end() && found->second->admits(greeted.hello.resume_secret)) {
    return serve(home, found->second, std::move(greeted));
  }
  auto fresh = new_session(home, greeted.link, greeted.connection.peer(), greeted.hello);
  if (fresh) serve(home, std::move(*fresh), std::move(greeted));
}

pipe::Result<std::shared_ptr<ClientSession>> PipeServer::new_session(Shelf& shelf,
                                                                     std::uint64_t link,
                                                                     const pipe::Origin& peer,
                                                                     const pipe::Hello& hello) {
  auto session = std::make_shared<ClientSession>(
      ClientSession::Context{runtime_, registry_, store_, *announcements_,
                             [&shelf](std::uint64_t number) { shelf.sessions.erase(number); }},
      *shelf.thread, link, peer, hello);
  const auto replaced = store_.add({.number = link,
                                    .identity = peer.node,
                                    .id = session->id(),
                                    .thread = shelf.index,
                                    .end = [&shelf, link](Errc why) {
                                      shelf.thread->post([&shelf, link, why] {
                                        const auto found = shelf.sessions.find(link);
                                        if (found == shelf.sessions.end()) return;
                                        const auto ended = found->second;  // it leaves the shelf
                                        ended->end({why, make_error_code(why).message()});
                                      });
                                    }});
  if (!replaced) {
    if (replaced.error() == Errc::overloaded) ++refused_;
    return replaced.error();
  }
  shelf.sessions[link] = session;
  if (*replaced) (*replaced)->end(Errc::replaced);
  return session;
}

void PipeServer::serve(Shelf& shelf, std::shared_ptr<ClientSession> session, Greeted greeted) {
  auto shared = std::make_shared<Greeted>(std::move(greeted));
  spawn(shelf, [session = std::move(session), shared] {
    return session->serve(std::move(shared->connection), shared->link, std::move(shared->hello));
  });
}

void PipeServer::for_each_session(std::function<void(ClientSession&)> f) {
  for (const auto& shelf : shelves_) {
    shelf->thread->post([f, here = shelf.get()] {
      // A session may end, and leave the shelf, while it is looked at.
      std::vector<std::shared_ptr<ClientSession>> sessions;
      for (const auto& entry : here->sessions) sessions.push_back(entry.second);
      for (const auto& session : sessions) f(*session);
    });
  }
}

void PipeServer::for_each_pipe(std::function<void(pipe::Pipe&)> f, std::function<void()> done) {
  auto left = std::make_shared<std::atomic<std::size_t>>(shelves_.size());
  for_each_session([f = std::move(f)](ClientSession& session) {
    if (session.pipe().stats().links > 0 && !session.pipe().is_over()) f(session.pipe());
  });
  for (const auto& shelf : shelves_) {
    shelf->thread->post([left, done] {
      if (--*left == 0) done();
    });
  }
}

void PipeServer::cut_revoked() {
  const auto tls = runtime_.identity().tls();
  for_each_session([tls](ClientSession& session) {
    if (!session.pipe().peer_revoked(tls->identity())) return;
    log(LogLevel::warning, "server", "The client's certificate has been revoked",
        {{"peer", session.pipe().peer().node}});
    session.end({Errc::revoked, make_error_code(Errc::revoked).message()});
  });
}

void PipeServer::close_arrivals(Errc why) {
  for (const auto& shelf : shelves_) {
    shelf->thread->post([here = shelf.get(), why] {
      for (const auto& arrival : here->arrivals) arrival.second->handshake().close(why);
    });
  }
}

void PipeServer::begin_drain() {
  draining_ = true;
  asio::post(acceptor_->get_executor(), [this] {
    error_code ignored;
    acceptor_->close(ignored);
  });
  close_arrivals(Errc::draining);
  for_each_session([](ClientSession& session) { session.drain(); });
}

bool PipeServer::wait_until_ended(pipe::Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return ended_.wait_until(lock, deadline, [this] { return serving_ == 0; });
}

void PipeServer::finish_drain(pipe::Clock::time_point deadline) {
  if (wait_until_ended(deadline)) return;
  close_arrivals(Errc::stopped);
  for_each_session([](ClientSession& session) {
    session.end({Errc::stopped, make_error_code(Errc::stopped).message()});
  });
  wait_until_ended(pipe::Clock::now() + kCloseWait);
}

void PipeServer::release() {
  acceptor_.reset();
  for (const auto& shelf : shelves_) shelf->sessions.clear();
  announcements_.reset();
  idle_.reset();
}

void PipeServer::export_metrics() {
  node::Registry& metrics = runtime_.metrics();
  const auto show = [&](std::string_view name, std::string_view help, auto read) {
    exported_.push_back(
        metrics.callback(name, help, {}, [read] { return static_cast<double>(read()); }));
  };
  show("restpipe_pipes", "Clients that are connected.", [this] { return registry_.size(); });
  show("restpipe_sessions", "Sessions of clients, with and without a connection.",
       [this] { return store_.size(); });
  show("restpipe_sessions_detached", "Sessions that wait for a connection to go on with.",
       [this] { return store_.detached_count(); });
  show("restpipe_pipe_resumes_total", "Connections that went on with a session.",
       [this] { return store_.resumes(); });
  show("restpipe_pipe_connections_accepted_total", "TCP connections accepted for pipes.",
       [this] { return accepted_.load(); });
  show("restpipe_pipe_connections_refused_total", "Clients over the cap of pipes.",
       [this] { return refused_.load(); });
  show("restpipe_pipe_handshakes", "Connections whose peer is not yet known.",
       [this] { return admission_.size(); });
  show("restpipe_pipe_handshakes_evicted_total",
       "Unauthenticated connections closed to make room for newer ones.",
       [this] { return admission_.evicted(); });
}

}  // namespace rp::server
