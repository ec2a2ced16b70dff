#pragma once

#include <memory>
#include <string>
#include <vector>

#include "handlers/dispatcher.h"
#include "handlers/isolated/isolated_plugins.h"
#include "handlers/plugin_set.h"
#include "node/config.h"
#include "node/metrics.h"

namespace rp::node {

/// The plugins that settings put into processes of their own, if there are any. Outlives the
/// dispatcher that has their methods, and its calls.
class IsolatedHandlers final {
 public:
  /// Starts what `config` names, lets it hear what `plugins` hears, and shows it in `metrics`,
  /// which outlives this object. Throws handlers::PluginRefused.
  IsolatedHandlers(const Config& config, const std::string& node, handlers::Dispatcher& dispatcher,
                   handlers::PluginSet& plugins, Registry& metrics);

  /// In the order of loading.
  std::vector<std::string> names() const;

  void set_log_level(LogLevel level);

  /// Once the dispatcher has ended its calls: ends all processes.
  void stop();

 private:
  std::unique_ptr<handlers::IsolatedPlugins> plugins_;  // none when nothing is isolated
  std::vector<Registry::Callback> exported_;            // read from it, so they go first
};

}  // namespace rp::node
