#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "certs/authority.h"
#include "tools/bench/pipe_ends.h"
#include "tools/bench/returning_client.h"

/// Thousands of clients of one server node in one process, each with an identity and an address of
/// its own, that keep their sessions and come back after a loss. SIGUSR1 cuts all their links,
/// SIGTERM ends the program. Prints a line
///
///   made=N                                     once, when all identities are there
///   round=R pipes=N seconds=S half_after=S most_after=S resumed=N failed=N
///                                              each time that all pipes are up
///
/// where the seconds count from the first dial, or from the first loss after an earlier round:
/// until all pipes were up, half of them, and 99 in 100; `failed` are the attempts that got no
/// pipe.
namespace rp::bench {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

struct Options {
  fs::path authority;
  fs::path scratch;  ///< where the identity of the moment is; replaced for each pipe
  std::uint16_t port = 0;
  std::size_t pipes = 0;
  std::size_t threads = 2;
  std::size_t sources = 65000;  ///< local addresses that they come from
  std::size_t dials_max = 0;    ///< first dials under way at once; 0: all of them
};

/// Counts who is up and says when all are. Safe from any thread.
class Roll final : public ClientWatch {
 public:
  explicit Roll(std::size_t pipes) : pipes_(pipes) {}

  /// Called outside the lock each time that a pipe has come up.
  std::function<void(std::size_t up)> on_up;

  void start() {
    const std::lock_guard lock(mutex_);
    since_ = pipe::Clock::now();
  }
  void came_up(bool resumed) override {
    std::size_t up = 0;
    {
      const std::lock_guard lock(mutex_);
      up = ++up_;
      if (resumed) ++resumed_;
      if (up == pipes_ / 2) half_after_ = elapsed();
      if (up == pipes_ - pipes_ / 100) most_after_ = elapsed();
      if (up == pipes_) report();
    }
    if (on_up) on_up(up);
  }
  void went_down() override {
    const std::lock_guard lock(mutex_);
    if (up_-- < pipes_) return;
    since_ = pipe::Clock::now();
    resumed_ = 0;
    failed_ = 0;
  }
  void attempt_failed() override {
    const std::lock_guard lock(mutex_);
    ++failed_;
  }

 private:
  double elapsed() const {
    return std::chrono::duration<double>(pipe::Clock::now() - since_).count();
  }
  void report() {
    std::printf(
        "round=%d pipes=%zu seconds=%.2f half_after=%.2f most_after=%.2f resumed=%zu "
        "failed=%zu\n",
        ++rounds_, up_, elapsed(), half_after_, most_after_, resumed_, failed_);
    std::fflush(stdout);
  }

  const std::size_t pipes_;
  std::mutex mutex_;  // guards the rest
  std::size_t up_ = 0;
  std::size_t resumed_ = 0;
  std::size_t failed_ = 0;
  double half_after_ = 0;
  double most_after_ = 0;
  int rounds_ = 0;
  pipe::Clock::time_point since_;
};

/// All clients, shared out among the I/O threads.
class Crowd {
 public:
  explicit Crowd(const Options& options) : options_(options), roll_(options.pipes) {
    for (std::size_t i = 0; i < options.threads; ++i) {
      threads_.push_back(std::make_unique<pipe::IoThread>());
    }
    certs::Authority authority = certs::Authority::open(options.authority);
    for (std::size_t i = 0; i < options.pipes; ++i) add_client(authority, i);
  }

  void start() {
    const std::size_t first = options_.dials_max == 0 ? options_.pipes : options_.dials_max;
    roll_.on_up = [this](std::size_t) { dial_next(); };
    roll_.start();
    for (std::size_t i = 0; i < first; ++i) dial_next();
    for (const auto& thread : threads_) thread->start();
  }

  void cut() {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      thread_of(i).post([client = clients_[i].get()] { client->cut(); });
    }
  }

  void stop() {
    for (const auto& thread : threads_) thread->stop();
  }

 private:
  pipe::IoThread& thread_of(std::size_t client) { return *threads_[client % threads_.size()]; }

  void add_client(certs::Authority& authority, std::size_t number) {
    authority.issue({.role = certs::Role::client,
                     .name = "load-" + std::to_string(number),
                     .extra_names = {},
                     .file_names = {}},
                    options_.scratch);
    // 127.1.0.1 and those after it.
    const asio::ip::address_v4 source(0x7f010001U +
                                      static_cast<std::uint32_t>(number % options_.sources));
    ReturningClient::Options options{.server = {asio::ip::address_v4::loopback(), options_.port},
                                     .source = source,
                                     .tls = tls_of(options_.scratch, certs::Role::client)};
    clients_.push_back(
        std::make_unique<ReturningClient>(std::move(options), thread_of(number), roll_));
  }

  /// The next client that has not dialled yet, if there is one.
  void dial_next() {
    const std::size_t number = dialled_++;
    if (number >= clients_.size()) return;
    asio::co_spawn(thread_of(number).context(), clients_[number]->run(), rethrow);
  }

  const Options& options_;
  Roll roll_;
  std::vector<std::unique_ptr<pipe::IoThread>> threads_;
  std::vector<std::unique_ptr<ReturningClient>> clients_;
  std::atomic<std::size_t> dialled_{0};
};

/// A socket for each pipe, and what else a process has open.
void allow_many_files(std::size_t pipes) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < pipes + 64) {
    throw std::runtime_error("only " + std::to_string(limit.rlim_cur) +
                             " open files are allowed (ulimit -n)");
  }
}

void hold_pipes(const Options& options) {
  allow_many_files(options.pipes);
  Crowd crowd(options);
  std::printf("made=%zu\n", options.pipes);
  std::fflush(stdout);
  crowd.start();

  asio::io_context signals;
  asio::signal_set wanted(signals, SIGUSR1, SIGTERM, SIGINT);
  std::function<void(pipe::error_code, int)> on_signal = [&](pipe::error_code, int signal) {
    if (signal != SIGUSR1) return;
    crowd.cut();
    wanted.async_wait(on_signal);
  };
  wanted.async_wait(on_signal);
  signals.run();
  crowd.stop();
}

int many_main(int argc, char** argv) {
  CLI::App app("Many clients of one server node");
  Options options;
  app.add_option("--ca", options.authority, "authority that the server trusts")->required();
  app.add_option("--scratch", options.scratch, "directory to make identities in")->required();
  app.add_option("--port", options.port, "the server's pipe port")->required();
  app.add_option("--pipes", options.pipes, "how many")->required()->check(CLI::Range(1, 65000));
  app.add_option("--threads", options.threads, "I/O threads")->check(CLI::Range(1, 64));
  app.add_option("--sources", options.sources,
                 "addresses that they come from; the default is one for each")
      ->check(CLI::Range(1, 65000));
  app.add_option("--dials-max", options.dials_max,
                 "clients that dial at once at the beginning; 0, the default: all of them");
  CLI11_PARSE(app, argc, argv);
  try {
    hold_pipes(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) { return rp::bench::many_main(argc, argv); }
