#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "handlers/dispatcher.h"
#include "handlers/plugin.h"
#include "handlers/state_change.h"
#include "pipe/event.h"

namespace rp::handlers {

/// Why a plugin was not loaded: one line that names the file and the rule. The program ends with
/// its "plugin refused" exit code.
class PluginRefused final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Role : std::uint8_t { server = 1, client = 2 };

/// The plugins of one node: loads them, registers their methods with the dispatcher, and tells
/// them what happens to the node's pipes.
///
/// Order of life: construct after the dispatcher, load, run; then Dispatcher::stop(), then stop().
/// Loading is for start-up, on one thread. The callbacks below may come from any thread and return
/// at once: the plugins hear them one at a time, in order, on a thread of the set's own. When
/// kCallbacksMax wait there, further ones are dropped and logged.
class PluginSet final {
 public:
  /// `dispatcher` outlives the set.
  PluginSet(Role role, std::string node_name, Dispatcher& dispatcher);
  ~PluginSet();  // stop()

  /// Loads one shared library, or every *.so of a directory in the order of their names.
  ///
  /// Refuses, with PluginRefused: a path that is not absolute; a symbolic link anywhere in it; a
  /// file or folder along it that belongs to someone other than root or this process's user, or
  /// that group or others may write (a root-owned sticky folder such as /tmp passes); a library
  /// that does not load, exports another ABI version, or whose init fails; a method that exists.
  /// What was checked is what is loaded: the library is opened once and loaded by descriptor.
  void load(const std::string& path);

  /// Takes a plugin that is linked into the program, through the same contract.
  void load_builtin(const std::string& name, restpipe_plugin_init_fn init);

  /// Names of the loaded plugins, in order.
  std::vector<std::string> names() const;

  using Peer = PipePeer;
  using WallClock = std::chrono::system_clock;

  /// `listener` hears all that the plugins hear, at once and on the thread that says it. Set before
  /// anything happens; what it refers to outlives the set.
  void set_listener(std::function<void(const StateChange&)> listener);

  /// Any of the following.
  void tell(StateChange change);

  /// A pipe is up and will take events; a pipe is gone, for whatever reason. Both roles.
  void start_hook(Peer peer);
  void stop_hook(Peer peer);

  /// Server: nobody is connected; at once and then every 60 s.
  void idle(WallClock::time_point waiting_since, std::chrono::seconds waited);
  void connection_added(Peer peer, std::size_t new_count);
  void connection_removed(Peer peer, std::size_t new_count);

  /// Client: failures since the last success, and when the first of them was.
  void connect_success(std::uint64_t retry_attempts,
                       std::optional<WallClock::time_point> last_disconnected);
  void connect_fail(std::uint64_t retry_attempts,
                    std::optional<WallClock::time_point> last_disconnected);

  /// Lets the waiting callbacks finish, for at most `wait`, then shuts the plugins down in reverse
  /// order of loading. Call it after Dispatcher::stop(). When a plugin is stuck in a callback, or
  /// `handlers_stuck` says that one is stuck in a handler, no plugin is shut down or unloaded.
  void stop(std::chrono::milliseconds wait = std::chrono::seconds(2), bool handlers_stuck = false);

  /// State callbacks that may wait for their thread.
  static constexpr std::size_t kCallbacksMax = 4096;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace rp::handlers
