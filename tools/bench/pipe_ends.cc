#include "tools/bench/pipe_ends.h"

#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace rp::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

pipe::Pipe::Options named_options() {
  pipe::Pipe::Options options;
  options.node = "bench";
  options.software = "bench";
  return options;
}

/// Owns one pipe for its life.
class Holder final : public pipe::PipeOwner {
 public:
  Holder(tcp::socket socket, pipe::IoThread& thread, std::shared_ptr<const pipe::TlsContext> tls,
         const std::string& host, pipe::EventTarget& target, DialledPipe told)
      : told_(std::move(told)),
        pipe_(std::move(socket), thread, std::move(tls), host, named_options(), target, *this) {}

  asio::awaitable<void> run() {
    const pipe::error_code why = co_await pipe_.run();
    if (told_.ended) told_.ended(why.message() + " " + pipe_.detail());
  }

 private:
  pipe::error_code pipe_admitted(pipe::Pipe&) override { return {}; }
  void pipe_opened(pipe::Pipe& pipe) override {
    if (told_.opened) told_.opened(pipe.target());
  }
  void pipe_draining(pipe::Pipe&, const pipe::Failure&) override {}
  void pipe_pinged(pipe::Pipe&) override {}
  void pipe_ponged(pipe::Pipe&, pipe::Clock::duration) override {}

  const DialledPipe told_;
  pipe::Pipe pipe_;
};

class NoControl final : public pipe::CallControl {
 public:
  void cancel() override {}
  void consumed(std::size_t) override {}
};

/// Client ends are called by nobody here.
class NoHandlers final : public pipe::EventTarget {
 public:
  std::shared_ptr<pipe::CallControl> submit(pipe::Event, std::string, pipe::Origin,
                                            std::shared_ptr<pipe::ReplySink> sink) override {
    sink->fail({pipe::Errc::draining, "no handlers here"});
    return std::make_shared<NoControl>();
  }
};

}  // namespace

void rethrow(std::exception_ptr thrown) {
  if (thrown) std::rethrow_exception(thrown);
}

std::shared_ptr<const pipe::TlsContext> tls_of(const std::filesystem::path& identity,
                                               certs::Role role) {
  return std::make_shared<pipe::TlsContext>(std::make_shared<certs::Identity>(
      certs::Identity::load(certs::identity_files(identity, role), role)));
}

asio::awaitable<void> serve_pipes(tcp::acceptor acceptor, pipe::IoThread& thread,
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

asio::awaitable<void> hold_pipe(tcp::endpoint server, pipe::IoThread& thread,
                                std::shared_ptr<const pipe::TlsContext> tls, DialledPipe told) {
  static NoHandlers no_handlers;
  tcp::socket socket(thread.context());
  co_await socket.async_connect(server, asio::use_awaitable);
  Holder holder(std::move(socket), thread, std::move(tls), "localhost", no_handlers,
                std::move(told));
  co_await holder.run();
}

}  // namespace rp::bench
