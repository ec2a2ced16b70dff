#include "tools/bench/pipe_ends.h"

#include <stdexcept>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>

#include "tools/bench/two_sided_main.h"

namespace rp::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Owns one pipe for its life, which is that of its first link.
class Holder final : public pipe::PipeOwner {
 public:
  Holder(tcp::socket socket, pipe::IoThread& thread, std::shared_ptr<const pipe::TlsContext> tls,
         const std::string& host, pipe::EventTarget& target, DialledPipe told)
      : thread_(thread),
        target_(target),
        told_(std::move(told)),
        options_(bench_options()),
        dials_(tls->identity().role() == certs::Role::client),
        handshake_(std::in_place, std::move(socket), thread, std::move(tls), host) {
    options_.self.heartbeat = told_.heartbeat;
  }

  asio::awaitable<void> run() {
    pipe::error_code why = co_await greet();
    std::string detail = handshake_->detail();
    if (!why) {
      const pipe::Hello peer = handshake_->greeting().peer();
      pipe::PipeOwner& self = *this;
      pipe_.emplace(dials_ ? pipe::Session::Side::dialler : pipe::Session::Side::acceptor,
                    handshake_->peer(), peer, thread_, options_, target_, self);
      pipe::Connection connection = handshake_->release();
      handshake_.reset();
      std::optional<pipe::Hello> hello;
      if (!dials_) hello = pipe::make_hello(options_.self);
      why = co_await pipe_->carry(std::move(connection), 0, std::move(hello));
      detail = pipe_->detail();
    }
    if (told_.ended) told_.ended(why.message() + " " + detail);
  }

 private:
  asio::awaitable<pipe::error_code> greet() {
    const auto timeout = options_.handshake_timeout;
    if (auto ec = co_await handshake_->secure(pipe::Clock::now() + timeout)) co_return ec;
    if (dials_) {
      std::string hello = encode_hello(pipe::make_hello(options_.self));
      if (auto ec = co_await handshake_->say(std::move(hello))) co_return ec;
    }
    co_return co_await handshake_->hear(pipe::Clock::now() + timeout);
  }

  void pipe_opened(pipe::Pipe& pipe) override {
    if (told_.opened) told_.opened(pipe.target());
  }
  void pipe_draining(pipe::Pipe&, const pipe::Failure&) override {}
  void pipe_expired(pipe::Pipe&) override {}
  bool pipe_peer_gone(pipe::Pipe&) override { return true; }
  void pipe_pinged(pipe::Pipe&) override {}
  void pipe_ponged(pipe::Pipe&, pipe::Clock::duration round_trip) override {
    if (told_.ponged) told_.ponged(round_trip);
  }

  pipe::IoThread& thread_;
  pipe::EventTarget& target_;
  const DialledPipe told_;
  pipe::Pipe::Options options_;
  const bool dials_;
  std::optional<pipe::Handshake> handshake_;  // until the pipe
  std::optional<pipe::Pipe> pipe_;
};

class NothingToControl final : public pipe::CallControl {
 public:
  void cancel() override {}
  void consumed(std::size_t) override {}
};

class NoHandlers final : public pipe::EventTarget {
 public:
  std::shared_ptr<pipe::CallControl> submit(pipe::Event&&, std::string&&, const pipe::Origin&,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    sink->fail({pipe::Errc::draining, "no handlers here"});
    return nothing_to_control();
  }
};

asio::awaitable<void> accept_pipes(tcp::acceptor acceptor, pipe::IoThread& thread,
                                   std::shared_ptr<const pipe::TlsContext> tls,
                                   pipe::EventTarget& target) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    auto holder =
        std::make_unique<Holder>(std::move(socket), thread, tls, "", target, DialledPipe{});
    auto run = [owned = std::move(holder)]() -> asio::awaitable<void> { return owned->run(); };
    asio::co_spawn(thread.context(), std::move(run), rethrow);
  }
}

}  // namespace

void rethrow(std::exception_ptr thrown) {
  if (thrown) std::rethrow_exception(thrown);
}

std::shared_ptr<const pipe::TlsContext> tls_of(const std::filesystem::path& identity,
                                               certs::Role role) {
  return std::make_shared<pipe::TlsContext>(std::make_shared<certs::Identity>(
      certs::Identity::load(certs::identity_files(identity, role), role)));
}

pipe::Pipe::Options bench_options() {
  pipe::Pipe::Options options;
  options.self.node = "bench";
  options.self.software = "bench";
  return options;
}

std::shared_ptr<pipe::CallControl> nothing_to_control() {
  static const auto control = std::make_shared<NothingToControl>();
  return control;
}

pipe::EventTarget& no_handlers() {
  static NoHandlers target;
  return target;
}

void serve_pipes(const std::filesystem::path& identity, std::uint16_t port,
                 pipe::EventTarget& target) {
  pipe::IoThread thread;
  tcp::acceptor acceptor(thread.context(), tcp::endpoint(asio::ip::address_v4::loopback(), port));
  announce(acceptor.local_endpoint().port());
  asio::co_spawn(
      thread.context(),
      accept_pipes(std::move(acceptor), thread, tls_of(identity, certs::Role::server), target),
      rethrow);
  thread.start();
  for (;;) ::pause();
}

asio::awaitable<void> hold_pipe(tcp::endpoint server, pipe::IoThread& thread,
                                std::shared_ptr<const pipe::TlsContext> tls, DialledPipe told) {
  tcp::socket socket(thread.context());
  co_await socket.async_connect(server, asio::use_awaitable);
  Holder holder(std::move(socket), thread, std::move(tls), "localhost", no_handlers(),
                std::move(told));
  co_await holder.run();
}

PipeLoad::PipeLoad(const std::filesystem::path& identity, std::uint16_t port)
    : tls_(tls_of(identity, certs::Role::client)),
      server_(asio::ip::address_v4::loopback(), port),
      thread_(std::in_place) {}

void PipeLoad::dial(DialledPipe told) {
  told.ended = [this](const std::string& why) { finish("the pipe ended: " + why); };
  asio::co_spawn(thread_->context(), hold_pipe(server_, *thread_, tls_, std::move(told)),
                 [this](const std::exception_ptr& thrown) {
                   try {
                     rethrow(thrown);
                   } catch (const std::exception& e) {
                     finish(e.what());
                   }
                 });
}

void PipeLoad::run() {
  thread_->start();
  const std::string wrong = finished_.get_future().get();
  thread_->stop();
  thread_.reset();
  if (!wrong.empty()) throw std::runtime_error(wrong);
}

void PipeLoad::finish(const std::string& wrong) {
  if (!std::exchange(has_finished_, true)) finished_.set_value(wrong);
}

}  // namespace rp::bench
