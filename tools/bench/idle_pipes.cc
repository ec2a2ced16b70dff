#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "certs/authority.h"
#include "tools/bench/pipe_ends.h"

/// Opens thousands of pipes to a server node, each with an identity of its own because the newest
/// pipe of an identity replaces the others, and prints what each costs the server in memory.
namespace rp::bench {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

// Below what a server node admits from one address before it knows the peers.
constexpr std::size_t kHandshakesMax = 32;

// The server frees what the last handshakes needed, and both ends acknowledge.
constexpr std::chrono::seconds kSettle{2};

struct Options {
  fs::path authority;
  fs::path scratch;  ///< where the identity of the moment is; replaced for each pipe
  std::uint16_t port = 0;
  int server_pid = 0;
  std::vector<std::size_t> counts;  ///< ascending
};

/// Resident memory of a process, from /proc.
std::size_t resident_kb(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  throw std::runtime_error("the server has ended");
}

class Opener {
 public:
  Opener(const Options& options, pipe::IoThread& thread)
      : options_(options),
        thread_(thread),
        authority_(certs::Authority::open(options.authority)),
        changed_(thread.context(), asio::steady_timer::time_point::max()) {}

  asio::awaitable<void> run() {
    const std::size_t empty_kb = resident_kb(options_.server_pid);
    for (const std::size_t count : options_.counts) {
      while (opened_ < count) co_await open_more(count);
      asio::steady_timer settle(thread_.context(), kSettle);
      co_await settle.async_wait(asio::use_awaitable);
      const std::size_t kb = resident_kb(options_.server_pid);
      std::printf("pipes=%zu kb_per_pipe=%.1f\n", count,
                  static_cast<double>(kb - empty_kb) / static_cast<double>(count));
      std::fflush(stdout);
    }
    thread_.context().stop();
  }

 private:
  /// Dials as many as may be under way, then waits for one of them.
  asio::awaitable<void> open_more(std::size_t count) {
    while (dialled_ < count && dialled_ - opened_ < kHandshakesMax) dial();
    pipe::error_code ignored;
    co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  void dial() {
    const std::string name = "idle-" + std::to_string(dialled_++);
    authority_.issue(
        {.role = certs::Role::client, .name = name, .extra_names = {}, .file_names = {}},
        options_.scratch);
    DialledPipe told;
    told.opened = [this](const std::shared_ptr<pipe::EventTarget>&) {
      ++opened_;
      changed_.cancel();
    };
    told.ended = [name](const std::string& why) {
      throw std::runtime_error("the pipe of " + name + " ended: " + why);
    };
    asio::co_spawn(thread_.context(),
                   hold_pipe({asio::ip::address_v4::loopback(), options_.port}, thread_,
                             tls_of(options_.scratch, certs::Role::client), std::move(told)),
                   rethrow);
  }

  const Options& options_;
  pipe::IoThread& thread_;
  certs::Authority authority_;
  asio::steady_timer changed_;  // never expires; cancelled when a pipe has opened
  std::size_t dialled_ = 0;
  std::size_t opened_ = 0;
};

void allow_many_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int idle_main(int argc, char** argv) {
  CLI::App app("Memory of a server node per idle pipe");
  Options options;
  app.add_option("--ca", options.authority, "authority that the server trusts")->required();
  app.add_option("--scratch", options.scratch, "directory to make identities in")->required();
  app.add_option("--port", options.port, "the server's pipe port")->required();
  app.add_option("--server-pid", options.server_pid, "its process")->required();
  app.add_option("counts", options.counts, "pipes at which to measure, ascending")->required();
  CLI11_PARSE(app, argc, argv);

  allow_many_files();
  try {
    pipe::IoThread thread;
    Opener opener(options, thread);
    asio::co_spawn(thread.context(), opener.run(), rethrow);
    thread.context().run();  // on this thread, so that what goes wrong is caught here
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace rp::bench

int main(int argc, char** argv) { return rp::bench::idle_main(argc, argv); }
