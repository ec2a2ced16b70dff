#pragma once

#include <memory>
#include <string>
#include <vector>

#include "handlers/dispatcher.h"
#include "handlers/isolated/isolated_plugin.h"
#include "handlers/plugin_set.h"
#include "handlers/state_change.h"

namespace rp::handlers {

/// The plugins of one node that run in processes of their own, each file in one. Their methods are
/// the dispatcher's like all others; what happens to a process is nobody's concern but its
/// callers'.
///
/// Order of life: before the dispatcher, whose calls it outlives; load, run, Dispatcher::stop(),
/// then stop().
class IsolatedPlugins final {
 public:
  struct Options {
    HostStart settings;
    HostTimes times{};
    std::shared_ptr<HostLauncher> launcher = std::make_shared<ExecutableLauncher>();
  };

  explicit IsolatedPlugins(Options options);
  ~IsolatedPlugins();  // stop()
  IsolatedPlugins(const IsolatedPlugins&) = delete;
  IsolatedPlugins& operator=(const IsolatedPlugins&) = delete;

  /// Starts a process for one shared library, or one for every *.so of a directory in the order of
  /// their names, and gives their methods to `dispatcher`. Refuses as PluginSet::load() does, with
  /// the same words; also a plugin whose process ends, or takes longer than HostTimes::start.
  void load(const std::string& path, Dispatcher& dispatcher);

  /// In the order of loading.
  std::vector<IsolatedPlugin::Status> status() const;

  /// From any thread, as PluginSet hears it.
  void tell(const StateChange& change);
  void set_log_level(LogLevel level);

  /// Ends all processes, at the latest with SIGKILL, and the calls that are left. Idempotent.
  void stop();

 private:
  void load_file(const std::string& path, Dispatcher& dispatcher);

  const Options options_;
  const std::shared_ptr<pipe::IoThread> thread_;
  PipesUp pipes_;  // touched on the thread only
  std::vector<std::shared_ptr<IsolatedPlugin>> plugins_;
  bool stopped_ = false;
};

}  // namespace rp::handlers
