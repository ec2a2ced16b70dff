#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handlers/plugin_set.h"
#include "handlers/state_change.h"
#include "pipe/core/session.h"
#include "pipe/event.h"
#include "pipe/log.h"

/// What a node and the host process of one of its plugins say to each other.
///
/// Both ends run a Session (pipe/core) over one Unix socket, from its first byte: they are the same
/// executable, so there is nothing to greet about. Calls of the plugin's methods travel as they do
/// on a pipe, with the origin in Event::caller and Event::target. All else is a call too, to the
/// target kHostTarget, with a noun of host_noun and a JSON body that fits into one frame.
namespace rp::handlers {

/// The descriptor under which a host process finds its end of the socket.
inline constexpr int kHostSocket = 3;

inline constexpr std::string_view kHostTarget = "host";

namespace host_noun {
// From the node.
inline constexpr std::string_view start = "start";          ///< HostStart; HostedPlugin, or why not
inline constexpr std::string_view state = "state";          ///< StateChange
inline constexpr std::string_view log_level = "log_level";  ///< a level's number
inline constexpr std::string_view stop = "stop";            ///< HostStop; answered when it is done
// From the host.
inline constexpr std::string_view log = "log";      ///< HostLogLine
inline constexpr std::string_view leave = "leave";  ///< it was told to end: send `stop`
}  // namespace host_noun

/// The answer to `start` has this code when the plugin was refused; its body is the line that says
/// why, in place of a HostedPlugin.
inline constexpr std::uint32_t kCodeRefused = 1;

/// What a plugin needs to know of its node, and its dispatcher of the settings.
struct HostStart {
  Role role = Role::server;
  std::string node;
  LogLevel log_level = LogLevel::info;
  std::size_t workers = 16;
  std::size_t queued_max = 1024;
  std::size_t body_bytes_max = std::size_t{64} * 1024 * 1024;

  friend bool operator==(const HostStart&, const HostStart&) = default;
};

struct HostedMethod {
  std::string verb;
  std::string noun;  ///< '/' written as '_'; '*' at the end of a pattern
  bool idempotent = false;

  friend bool operator==(const HostedMethod&, const HostedMethod&) = default;
};

/// What was loaded.
struct HostedPlugin {
  std::string name;
  std::vector<HostedMethod> methods;

  friend bool operator==(const HostedPlugin&, const HostedPlugin&) = default;
};

struct HostLogLine {
  LogLevel level = LogLevel::info;
  std::string component;
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields;

  friend bool operator==(const HostLogLine&, const HostLogLine&) = default;
};

/// An event for the other process itself.
pipe::Event host_event(std::string_view noun);

/// Notes in `event` where it came from; and reads, and takes out, what was noted.
void note_origin(const pipe::Origin& origin, pipe::Event& event);
pipe::Origin take_origin(pipe::Event& event, const std::string& caller);

std::string encode(const HostStart& start);
std::string encode(const HostedPlugin& plugin);
std::string encode(const HostLogLine& line);
std::string encode(const StateChange& change);
std::string encode(LogLevel level);
std::string encode(std::chrono::milliseconds drain);

/// Each is empty for what is not of that shape: a plugin that writes where it should not can spoil
/// what its host says.
std::optional<HostStart> decode_start(std::string_view text);
std::optional<HostedPlugin> decode_plugin(std::string_view text);
std::optional<HostLogLine> decode_log_line(std::string_view text);
std::optional<StateChange> decode_state(std::string_view text);
std::optional<LogLevel> decode_log_level(std::string_view text);
std::optional<std::chrono::milliseconds> decode_drain(std::string_view text);

/// What the other end of the session would have said in a HELLO.
pipe::Hello host_hello();

}  // namespace rp::handlers
