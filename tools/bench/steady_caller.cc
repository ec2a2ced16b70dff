#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <sys/time.h>
#include <thread>

#include <CLI/CLI.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

/// Calls a node's REST front-end at a steady pace and prints a line for each call:
///
///   at=SECONDS us=N status=N
///
/// `at` is when the call was due, by the wall clock; `us` is counted from then, also where an
/// earlier call held it up, so that a stall shows in all calls that fell into it. Status 0 is an
/// answer that did not come.
namespace rp::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Above what a node waits for a pipe before it answers by itself.
constexpr timeval kAnswerTimeout{.tv_sec = 60, .tv_usec = 0};

/// One HTTP/1.1 connection, dialled again when it has gone.
class Caller {
 public:
  Caller(std::uint16_t port, const std::string& path)
      : front_end_(asio::ip::address_v4::loopback(), port),
        request_("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n") {}

  /// The status of one request, 0 without an answer.
  int call() {
    boost::system::error_code ec;
    if (!socket_.is_open()) connect(ec);
    if (!ec) asio::write(socket_, asio::buffer(request_), ec);
    const int status = ec ? 0 : read_answer(ec);
    if (!ec) return status;
    received_.clear();
    boost::system::error_code ignored;
    socket_.close(ignored);
    return 0;
  }

 private:
  void connect(boost::system::error_code& ec) {
    socket_.connect(front_end_, ec);
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout,
                 sizeof kAnswerTimeout);
  }

  int read_answer(boost::system::error_code& ec) {
    const std::size_t head_bytes =
        asio::read_until(socket_, asio::dynamic_buffer(received_), "\r\n\r\n", ec);
    if (ec) return 0;
    constexpr std::string_view kStatusLine = "HTTP/1.1 200";
    constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t length_at = received_.find(kLength);
    if (received_.size() < kStatusLine.size() || length_at >= head_bytes) {
      ec = asio::error::invalid_argument;
      return 0;
    }
    const std::size_t bytes = head_bytes + std::stoul(received_.substr(length_at + kLength.size()));
    const std::size_t missing = bytes - std::min(bytes, received_.size());
    asio::read(socket_, asio::dynamic_buffer(received_), asio::transfer_exactly(missing), ec);
    if (ec) return 0;
    const int status = std::stoi(received_.substr(kStatusLine.size() - 3, 3));
    received_.erase(0, bytes);
    return status;
  }

  asio::io_context context_;
  tcp::socket socket_{context_};
  const tcp::endpoint front_end_;
  const std::string request_;
  std::string received_;
};

[[noreturn]] void call_steadily(Caller& caller, std::chrono::nanoseconds pace) {
  using Wall = std::chrono::system_clock;
  auto due = std::chrono::steady_clock::now();
  const auto started_at = due;
  const auto wall_started_at = Wall::now();
  for (;; due += pace) {
    std::this_thread::sleep_until(due);
    const int status = caller.call();
    const auto taken = std::chrono::steady_clock::now() - due;
    const std::chrono::duration<double> at =
        wall_started_at.time_since_epoch() + (due - started_at);
    std::printf("at=%.3f us=%lld status=%d\n", at.count(),
                static_cast<long long>(
                    std::chrono::duration_cast<std::chrono::microseconds>(taken).count()),
                status);
    std::fflush(stdout);
  }
}

int steady_main(int argc, char** argv) {
  CLI::App app("Calls a node at a steady pace");
  std::uint16_t port = 0;
  std::string path = "/server/time";
  int per_second = 50;
  app.add_option("--port", port, "the node's REST front-end")->required();
  app.add_option("--path", path, "what to ask for");
  app.add_option("--per-second", per_second, "calls")->check(CLI::Range(1, 10000));
  CLI11_PARSE(app, argc, argv);
  try {
    Caller caller(port, path);
    call_steadily(caller, std::chrono::nanoseconds(std::chrono::seconds(1)) / per_second);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) { return rp::bench::steady_main(argc, argv); }
