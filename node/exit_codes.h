#pragma once

#include <stdexcept>
#include <string>

/// How the program ends when a node cannot start. The numbers are part of the command-line contract
/// (docs/configuration.md, section "Exit codes"): scripts and service units rely on them.
namespace rp::node {

enum class ExitCode : int {
  ok = 0,
  failure = 1,         ///< anything without a number of its own
  usage = 2,           ///< the command line does not parse
  configuration = 3,   ///< a setting is unknown, malformed or contradicts another one
  cannot_listen = 4,   ///< an address is in use or cannot be bound
  identity = 5,        ///< key, certificate or CA missing, unreadable or with loose permissions
  certificate = 6,     ///< the node's own certificate has expired or is not yet valid
  plugin_refused = 7,  ///< a handler plugin is missing, unsafe or of another ABI
};

/// Thrown while a node starts, caught in main. what() is the one line that the user sees: it names
/// what was wrong and what is accepted, and holds neither a secret nor a line break.
class StartupError : public std::runtime_error {
 public:
  StartupError(ExitCode code, const std::string& line) : std::runtime_error(line), code_(code) {}

  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

}  // namespace rp::node
