#include "node/local_handlers.h"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "handlers/files/files_target.h"
#include "handlers/plugin_set.h"
#include "handlers/proxy/proxy_target.h"

namespace rp::node {
namespace {

// A cancelled process gets SIGTERM, SIGKILL a second later, and a moment to be waited for.
constexpr std::chrono::milliseconds kLastProcesses{1500};

}  // namespace

LocalHandlers::LocalHandlers(const Config& config, const std::string& node,
                             handlers::Dispatcher& dispatcher) {
  if (config.exec.empty() && config.files.empty() && config.proxy.empty()) return;
  threads_ = std::make_unique<handlers::Threads>();
  try {
    for (const auto& [noun, root] : config.files) {
      handlers::FilesOptions options{noun, root.string()};
      mount(dispatcher, noun,
            std::make_shared<handlers::FilesTarget>(std::move(options), *threads_));
    }
    for (const auto& [noun, address] : config.proxy) {
      handlers::ProxyOptions options{noun, address};
      mount(dispatcher, noun,
            std::make_shared<handlers::ProxyTarget>(std::move(options), *threads_));
    }
    if (config.exec.empty()) return;
    handlers::ExecOptions options;
    for (const auto& directory : config.exec) options.directories.push_back(directory.string());
    options.processes_max = config.exec_processes_max;
    options.waiting_max = config.exec_queue_max;
    options.node = node;
    exec_ = std::make_shared<handlers::ExecTarget>(std::move(options), *threads_);
    mount(dispatcher, "", exec_);
  } catch (const handlers::PluginRefused& e) {
    throw StartupError(ExitCode::plugin_refused, e.what());
  }
}

void LocalHandlers::mount(handlers::Dispatcher& dispatcher, const std::string& noun,
                          std::shared_ptr<pipe::EventTarget> target) {
  try {
    dispatcher.mount(noun, std::move(target));
  } catch (const std::invalid_argument& e) {
    throw StartupError(ExitCode::configuration, std::string("files and proxy: ") + e.what());
  }
}

void LocalHandlers::stop() {
  if (exec_) exec_->wait_for_processes(kLastProcesses);
  if (threads_) threads_->stop();
}

}  // namespace rp::node
