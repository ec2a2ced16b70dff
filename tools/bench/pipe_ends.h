#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "pipe/io_thread.h"
#include "pipe/pipe.h"
#include "pipe/tls.h"

/// Both ends of a pipe with nothing around them: no registry, no reconnect.
namespace rp::bench {

std::shared_ptr<const pipe::TlsContext> tls_of(const std::filesystem::path& identity,
                                               certs::Role role);

/// What the benchmarks' ends of pipes say of themselves.
pipe::Pipe::Options bench_options();

/// For targets whose answer is complete when submit() returns.
std::shared_ptr<pipe::CallControl> nothing_to_control();

/// The target of ends that nobody calls: every event fails.
pipe::EventTarget& no_handlers();

/// A server program: tells its port, accepts pipes and lets `target` answer their calls until the
/// process is killed. `port` 0 takes a free one.
[[noreturn]] void serve_pipes(const std::filesystem::path& identity, std::uint16_t port,
                              pipe::EventTarget& target);

/// What becomes of one dialled pipe; each is told on the I/O thread.
struct DialledPipe {
  std::function<void(std::shared_ptr<pipe::EventTarget> peer)> opened;
  std::function<void(const std::string& why)> ended{};
  std::function<void(pipe::Clock::duration round_trip)> ponged{};
  pipe::Heartbeat heartbeat{};
};

/// Dials, holds one pipe, and returns when it has ended.
boost::asio::awaitable<void> hold_pipe(boost::asio::ip::tcp::endpoint server,
                                       pipe::IoThread& thread,
                                       std::shared_ptr<const pipe::TlsContext> tls,
                                       DialledPipe told);

/// For co_spawn: ends the program when a coroutine throws.
void rethrow(std::exception_ptr thrown);

/// A client program: pipes to one server on one I/O thread, until what they are used for is done.
///
///   PipeLoad load(identity, port);
///   load.dial({.opened = ...});  // makes calls; says load.finish() after the last one
///   load.run();
class PipeLoad {
 public:
  PipeLoad(const std::filesystem::path& identity, std::uint16_t port);

  /// Before run(). A pipe that ends by itself is what goes wrong.
  void dial(DialledPipe told);
  /// Returns after finish(); throws std::runtime_error if that had something to say. Nothing of the
  /// load runs any more then.
  void run();

  /// On the I/O thread: it is done, or `wrong` says why it is not. Only the first word counts.
  void finish(const std::string& wrong = "");

 private:
  const std::shared_ptr<const pipe::TlsContext> tls_;
  const boost::asio::ip::tcp::endpoint server_;
  std::promise<std::string> finished_;
  bool has_finished_ = false;
  std::optional<pipe::IoThread> thread_;  // until the end of run()
};

}  // namespace rp::bench
