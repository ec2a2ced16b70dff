#include "tests/product/harness/node.h"

#include <cstdlib>
#include <regex>
#include <stdexcept>

#include <signal.h>

namespace rp::product {
namespace {

std::uint16_t port_after(const std::string& line, const std::string& pattern) {
  std::smatch match;
  if (!std::regex_search(line, match, std::regex(pattern))) return 0;
  return static_cast<std::uint16_t>(std::stoi(match[1]));
}

std::string loopback(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

}  // namespace

Command node_command(Role role, const NodeSetup& setup) {
  Command command;
  command.argv = {RP_RESTPIPE, role == Role::server ? "server" : "client", "--rest",
                  loopback(setup.rest_port)};
  if (!setup.from_environment) {
    command.argv.insert(
        command.argv.end(),
        {"--identity", setup.identity.string(), role == Role::server ? "--listen" : "--server",
         setup.dial.empty() ? loopback(setup.pipe_port) : setup.dial});
  }
  command.argv.insert(command.argv.end(), setup.flags.begin(), setup.flags.end());
  command.env = setup.env;
  command.files_max = setup.files_max;
  return command;
}

Node::Node(Role role, const NodeSetup& setup) : process_(node_command(role, setup)) {
  const auto line = process_.out_line("restpipe ");
  if (!line) throw std::runtime_error("the node did not start; its log:\n" + log());
  ready_line_ = *line;
  rest_port_ = port_after(ready_line_, " rest=127\\.0\\.0\\.1:([0-9]+)");
  pipe_port_ = port_after(ready_line_, " pipe=[0-9.]+:([0-9]+)");
}

bool Node::ready(TestClock::duration timeout) const {
  return eventually(timeout, [&] { return status_of(rest_port_, "/readyz") == 200; });
}

bool Node::unready(TestClock::duration timeout) const {
  return eventually(timeout, [&] { return status_of(rest_port_, "/readyz") == 503; });
}

std::optional<int> Node::stop(TestClock::duration timeout) {
  process_.signal(SIGTERM);
  return process_.wait(timeout);
}

std::size_t Node::memory_kb() const {
  const auto status = read_text("/proc/" + std::to_string(process_.pid()) + "/status");
  const auto at = status.find("VmRSS:");
  return at == std::string::npos ? 0 : std::strtoul(status.c_str() + at + 6, nullptr, 10);
}

Finished restpipe(std::vector<std::string> arguments, std::vector<std::string> env) {
  arguments.insert(arguments.begin(), RP_RESTPIPE);
  return run({.argv = std::move(arguments), .env = std::move(env)});
}

}  // namespace rp::product
