#include "node/isolated_handlers.h"

namespace rp::node {
namespace {

handlers::HostStart settings_of(const Config& config, const std::string& node) {
  handlers::HostStart settings;
  settings.role = config.role == Role::server ? handlers::Role::server : handlers::Role::client;
  settings.node = node;
  settings.log_level = config.log_level;
  settings.workers = config.worker_threads;
  settings.queued_max = config.worker_queue_max;
  settings.body_bytes_max = config.body_bytes_max;
  return settings;
}

}  // namespace

IsolatedHandlers::IsolatedHandlers(const Config& config, const std::string& node,
                                   handlers::Dispatcher& dispatcher, handlers::PluginSet& plugins,
                                   Registry& metrics) {
  std::vector<std::filesystem::path> paths;
  if (config.isolate) paths = config.handlers;
  paths.insert(paths.end(), config.isolated.begin(), config.isolated.end());
  if (paths.empty()) return;
  plugins_ = std::make_unique<handlers::IsolatedPlugins>(
      handlers::IsolatedPlugins::Options{settings_of(config, node)});
  for (const auto& path : paths) plugins_->load(path.string(), dispatcher);
  plugins.set_listener([this](const handlers::StateChange& change) { plugins_->tell(change); });

  const auto status = plugins_->status();
  for (std::size_t i = 0; i < status.size(); ++i) {
    const Labels labels{{"plugin", status[i].name}, {"path", status[i].path}};
    exported_.push_back(metrics.callback(
        "restpipe_handler_host_up", "Whether the host process of an isolated plugin takes calls.",
        labels, [this, i] { return plugins_->status()[i].up ? 1.0 : 0.0; }));
    exported_.push_back(metrics.callback(
        "restpipe_handler_host_restarts_total",
        "Times that the host process of an isolated plugin was started again.", labels,
        [this, i] { return static_cast<double>(plugins_->status()[i].restarts); }));
  }
}

std::vector<std::string> IsolatedHandlers::names() const {
  std::vector<std::string> names;
  if (!plugins_) return names;
  for (const auto& status : plugins_->status()) names.push_back(status.name);
  return names;
}

void IsolatedHandlers::set_log_level(LogLevel level) {
  if (plugins_) plugins_->set_log_level(level);
}

void IsolatedHandlers::stop() {
  if (plugins_) plugins_->stop();
}

}  // namespace rp::node
