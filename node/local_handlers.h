#pragma once

#include <memory>
#include <string>
#include <vector>

#include "handlers/dispatcher.h"
#include "handlers/exec/exec_target.h"
#include "handlers/local/threads.h"
#include "node/config.h"

namespace rp::node {

/// The handlers that settings alone bring: executables, files, applications. Outlives the
/// dispatcher that they are mounted on, and its calls.
class LocalHandlers final {
 public:
  /// Mounts on `dispatcher` what `config` names. Throws StartupError.
  LocalHandlers(const Config& config, const std::string& node, handlers::Dispatcher& dispatcher);

  /// Once the dispatcher has ended its calls: sees the last processes out, and ends the threads.
  void stop();

 private:
  void mount(handlers::Dispatcher& dispatcher, const std::string& noun,
             std::shared_ptr<pipe::EventTarget> target);

  std::unique_ptr<handlers::Threads> threads_;  // none when there is nothing to serve
  std::shared_ptr<handlers::ExecTarget> exec_;
};

}  // namespace rp::node
