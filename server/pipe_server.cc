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

// After the deadline of a drain, pipes that were told to close get this long to do it.
constexpr std::chrono::seconds kCloseWait{2};

handlers::PluginSet::Peer plugin_peer(const pipe::Origin& origin) {
  return {.name = origin.node, .address = origin.address, .port = origin.port};
}

}  // namespace

/// One client's connection, from accept to end.
class PipeServer::Connection final : private pipe::PipeOwner {
 public:
  Connection(PipeServer& server, Shelf& shelf, tcp::socket socket)
      : server_(server),
        shelf_(shelf),
        number_(++server.last_number_),
        handshake_(std::in_place, std::move(socket), *shelf.thread,
                   server.runtime_.identity().tls(), ""),
        ticket_(
            server.admission_.enter(handshake_->peer().address, [this_shelf = &shelf, n = number_] {
              close_later(*this_shelf, n, Errc::overloaded);
            })) {
    shelf_.connections[number_] = this;
  }

  ~Connection() override {
    shelf_.connections.erase(number_);
    server_.admission_.leave(ticket_);
  }

  asio::awaitable<void> run() {
    error_code why = co_await greet();
    if (why) {
      log(LogLevel::info, "server", "Connection refused",
          {{"address", handshake_->peer().address},
           {"port", handshake_->peer().port},
           {"peer", handshake_->peer().node},
           {"reason", why.message()},
           {"detail", handshake_->detail()}});
      co_return;
    }
    const pipe::Pipe::Options options = server_.runtime_.pipe_options();
    pipe::PipeOwner& self = *this;
    pipe_.emplace(pipe::Session::Side::acceptor, handshake_->peer(), handshake_->greeting().peer(),
                  *shelf_.thread, options, server_.runtime_.handlers(), self);
    pipe::Connection connection = handshake_->release();
    handshake_.reset();
    std::optional<pipe::Hello> hello = pipe::make_hello(options.self);
    why = co_await pipe_->carry(std::move(connection), 0, std::move(hello));
    closed(why);
    pipe_->end(why);
  }

  pipe::Pipe* pipe() { return pipe_ ? &*pipe_ : nullptr; }

  void goodbye(pipe::Failure reason, bool drain) {
    const error_code why = reason.code;
    pipe_ ? pipe_->goodbye(std::move(reason), drain) : handshake_->close(why);
  }
  void close(error_code why) { pipe_ ? pipe_->end(why) : handshake_->close(why); }

  static void close_later(Shelf& shelf, std::uint64_t number, Errc why) {
    shelf.thread->post([&shelf, number, why] {
      const auto found = shelf.connections.find(number);
      if (found == shelf.connections.end()) return;
      found->second->goodbye({why, make_error_code(why).message()}, /*drain=*/false);
    });
  }

 private:
  asio::awaitable<error_code> greet() {
    const auto timeout = server_.runtime_.config().handshake_timeout;
    if (auto ec = co_await handshake_->secure(pipe::Clock::now() + timeout)) co_return ec;
    if (auto ec = co_await handshake_->hear(pipe::Clock::now() + timeout)) co_return ec;
    const error_code refused = admitted();
    if (!refused) co_return error_code();
    pipe::Failure reason{static_cast<Errc>(refused.value()), refused.message()};
    co_await handshake_->refuse(std::move(reason));
    co_return refused;
  }

  error_code admitted() {
    if (server_.draining_) return Errc::draining;
    const auto tls = server_.runtime_.identity().tls();
    if (handshake_->tls().peer_revoked(tls->identity())) return Errc::revoked;
    return {};
  }

  void pipe_opened(pipe::Pipe& pipe) override {
    server_.admission_.leave(ticket_);
    log(LogLevel::info, "server", "Pipe is up",
        {{"peer", pipe.peer().node},
         {"address", pipe.peer().address},
         {"software", pipe.peer_hello()->software}});
    const auto target = pipe.target();
    {
      const std::lock_guard lock(server_.announce_mutex_);
      const auto replaced = server_.registry_.add(
          {.pipe = number_,
           .origin = pipe.peer(),
           .target = target,
           .close = [shelf = &shelf_, n = number_](Errc why) { close_later(*shelf, n, why); }});
      auto& plugins = server_.runtime_.plugins();
      const std::size_t count = server_.registry_.size();
      if (replaced) {
        log(LogLevel::info, "server", "A newer pipe of the same identity takes over",
            {{"peer", pipe.peer().node}, {"old_address", replaced->origin.address}});
        replaced->close(Errc::replaced);
        plugins.stop_hook(plugin_peer(replaced->origin));
        plugins.connection_removed(plugin_peer(replaced->origin), count - 1);
      }
      plugins.connection_added(plugin_peer(pipe.peer()), count);
      plugins.start_hook(plugin_peer(pipe.peer()));
      server_.idle_->count_changed(count);
    }
    server_.runtime_.waiting().forward({pipe.peer().node, pipe.peer().address}, *target);
  }

  void closed(error_code why) {
    log(LogLevel::info, "server", "Pipe is down",
        {{"peer", pipe_->peer().node}, {"reason", why.message()}});
    const std::lock_guard lock(server_.announce_mutex_);
    if (!server_.registry_.remove(pipe_->peer().node, number_)) return;
    auto& plugins = server_.runtime_.plugins();
    const std::size_t count = server_.registry_.size();
    plugins.stop_hook(plugin_peer(pipe_->peer()));
    plugins.connection_removed(plugin_peer(pipe_->peer()), count);
    server_.idle_->count_changed(count);
  }

  void pipe_draining(pipe::Pipe& pipe, const pipe::Failure& reason) override {
    log(LogLevel::info, "server", "Client is leaving",
        {{"peer", pipe.peer().node}, {"reason", reason.detail}});
  }
  void pipe_expired(pipe::Pipe&) override {}
  bool pipe_peer_gone(pipe::Pipe&) override { return true; }
  void pipe_pinged(pipe::Pipe&) override { server_.runtime_.instruments().heartbeat_started(); }
  void pipe_ponged(pipe::Pipe&, pipe::Clock::duration round_trip) override {
    server_.runtime_.instruments().heartbeat_answered(round_trip);
  }

  PipeServer& server_;
  Shelf& shelf_;
  const std::uint64_t number_;
  std::optional<pipe::Handshake> handshake_;  // until the pipe
  std::optional<pipe::Pipe> pipe_;
  const Admission::Ticket ticket_;
};

PipeServer::PipeServer(node::Runtime& runtime, Registry& registry)
    : runtime_(runtime),
      registry_(registry),
      admission_({.total_max = runtime.config().unauthenticated_max,
                  .per_source_max = runtime.config().unauthenticated_per_source_max}),
      idle_(std::in_place, runtime.threads().front()->context(), runtime.plugins()),
      acceptor_(std::in_place, runtime.threads().front()->context()) {
  for (const auto& thread : runtime.threads()) {
    shelves_.push_back(std::make_unique<Shelf>(Shelf{thread.get(), {}}));
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
  for (std::size_t next = 0; !draining_; next = (next + 1) % shelves_.size()) {
    Shelf& shelf = *shelves_[next];
    error_code ec;
    tcp::socket socket = co_await acceptor_->async_accept(
        shelf.thread->context(), asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) co_return;
    if (ec) {
      co_await wait_out(ec);
    } else if (has_room()) {
      begin(std::move(socket), shelf);
    } else {
      ++refused_;
    }
  }
}

asio::awaitable<void> PipeServer::wait_out(error_code accept_error) {
  static thread_local pipe::Clock::time_point logged_at;
  if (pipe::Clock::now() - logged_at >= std::chrono::seconds(1)) {
    logged_at = pipe::Clock::now();
    log(LogLevel::warning, "server", "Cannot accept connections; trying again",
        {{"reason", accept_error.message()}});
  }
  asio::steady_timer pause(acceptor_->get_executor(), kAcceptPause);
  error_code ignored;
  co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

bool PipeServer::has_room() const {
  return registry_.size() + admission_.size() < runtime_.config().pipes_max;
}

void PipeServer::begin(tcp::socket socket, Shelf& shelf) {
  ++accepted_;
  {
    const std::lock_guard lock(mutex_);
    ++serving_;
  }
  asio::co_spawn(shelf.thread->context(), serve(std::move(socket), shelf),
                 [this](std::exception_ptr failure) {
                   node::report_exception("server", failure);
                   const std::lock_guard lock(mutex_);
                   --serving_;
                   ended_.notify_all();
                 });
}

asio::awaitable<void> PipeServer::serve(tcp::socket socket, Shelf& shelf) {
  Connection connection(*this, shelf, std::move(socket));
  co_await connection.run();
}

void PipeServer::for_each_connection(std::function<void(Connection&)> f) {
  for (const auto& shelf : shelves_) {
    shelf->thread->post([f, here = shelf.get()] {
      // A connection may end, and leave the shelf, while it is looked at.
      std::vector<std::uint64_t> numbers;
      for (const auto& entry : here->connections) numbers.push_back(entry.first);
      for (const std::uint64_t number : numbers) {
        const auto found = here->connections.find(number);
        if (found != here->connections.end()) f(*found->second);
      }
    });
  }
}

void PipeServer::for_each_pipe(std::function<void(pipe::Pipe&)> f, std::function<void()> done) {
  auto left = std::make_shared<std::atomic<std::size_t>>(shelves_.size());
  for_each_connection([f = std::move(f)](Connection& connection) {
    if (connection.pipe() && connection.pipe()->is_open()) f(*connection.pipe());
  });
  for (const auto& shelf : shelves_) {
    shelf->thread->post([left, done] {
      if (--*left == 0) done();
    });
  }
}

void PipeServer::cut_revoked() {
  const auto tls = runtime_.identity().tls();
  for_each_connection([tls](Connection& connection) {
    pipe::Pipe* const pipe = connection.pipe();
    if (!pipe || !pipe->is_open() || !pipe->peer_revoked(tls->identity())) return;
    log(LogLevel::warning, "server", "The client's certificate has been revoked",
        {{"peer", pipe->peer().node}});
    pipe->goodbye({Errc::revoked, make_error_code(Errc::revoked).message()}, /*drain=*/false);
  });
}

void PipeServer::begin_drain() {
  draining_ = true;
  asio::post(acceptor_->get_executor(), [this] {
    error_code ignored;
    acceptor_->close(ignored);
  });
  for_each_connection([](Connection& connection) {
    connection.goodbye({Errc::draining, "the server is shutting down"}, /*drain=*/true);
  });
}

bool PipeServer::wait_until_ended(pipe::Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return ended_.wait_until(lock, deadline, [this] { return serving_ == 0; });
}

void PipeServer::finish_drain(pipe::Clock::time_point deadline) {
  if (wait_until_ended(deadline)) return;
  for_each_connection([](Connection& connection) { connection.close(Errc::stopped); });
  wait_until_ended(pipe::Clock::now() + kCloseWait);
}

void PipeServer::release() {
  acceptor_.reset();
  idle_.reset();
}

void PipeServer::export_metrics() {
  node::Registry& metrics = runtime_.metrics();
  const auto show = [&](std::string_view name, std::string_view help, auto read) {
    exported_.push_back(
        metrics.callback(name, help, {}, [read] { return static_cast<double>(read()); }));
  };
  show("restpipe_pipes", "Clients that are connected.", [this] { return registry_.size(); });
  show("restpipe_pipe_connections_accepted_total", "TCP connections accepted for pipes.",
       [this] { return accepted_.load(); });
  show("restpipe_pipe_connections_refused_total", "TCP connections over the cap of pipes.",
       [this] { return refused_.load(); });
  show("restpipe_pipe_handshakes", "Connections whose peer is not yet known.",
       [this] { return admission_.size(); });
  show("restpipe_pipe_handshakes_evicted_total",
       "Unauthenticated connections closed to make room for newer ones.",
       [this] { return admission_.evicted(); });
}

}  // namespace rp::server
