#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/product/harness/http.h"
#include "tests/product/harness/process.h"

namespace rp::product {

enum class Role { server, client };

/// How a test wants a node. Ports are the kernel's choice unless a restart must find the old one.
struct NodeSetup {
  std::filesystem::path identity{};
  std::vector<std::string> flags{};  ///< added to those that the harness sets
  std::vector<std::string> env{};
  bool from_environment = false;  ///< no --identity, --listen or --server: `env` says it all
  std::string dial{};           ///< client: addresses for --server in place of 127.0.0.1:pipe_port
  std::uint16_t pipe_port = 0;  ///< server: where it listens; client: where it dials
  std::uint16_t rest_port = 0;
  std::optional<unsigned> files_max{};
};

/// A running `restpipe server` or `restpipe client`.
class Node {
 public:
  /// Starts it and waits for its ready line; throws std::runtime_error with the log without one.
  Node(Role role, const NodeSetup& setup);

  /// "http://127.0.0.1:PORT": the local front-end.
  std::string base() const { return "http://127.0.0.1:" + std::to_string(rest_port_); }
  std::uint16_t rest_port() const noexcept { return rest_port_; }
  std::uint16_t pipe_port() const noexcept { return pipe_port_; }  ///< server only
  const std::string& ready_line() const noexcept { return ready_line_; }

  Process& process() noexcept { return process_; }
  std::string log() const { return process_.err(); }

  /// Waits until /readyz says 200; a client is then connected.
  bool ready(TestClock::duration timeout = kPatience) const;
  bool unready(TestClock::duration timeout = kPatience) const;

  /// SIGTERM; the exit code, or nothing if it does not end in time.
  std::optional<int> stop(TestClock::duration timeout = kPatience);

  /// Resident memory of the process.
  std::size_t memory_kb() const;

 private:
  Process process_;
  std::string ready_line_;
  std::uint16_t rest_port_ = 0;
  std::uint16_t pipe_port_ = 0;
};

/// The command line that Node runs; for starts that are to fail.
Command node_command(Role role, const NodeSetup& setup);

/// `restpipe ARGUMENTS...` to its end.
Finished restpipe(std::vector<std::string> arguments, std::vector<std::string> env = {});

}  // namespace rp::product
