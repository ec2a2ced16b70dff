#include "handlers/isolated/isolated_plugins.h"

#include <algorithm>
#include <future>
#include <stdexcept>
#include <utility>

#include "handlers/trusted_file.h"
#include "pipe/log.h"

namespace rp::handlers {
namespace {

// What follows a time-out: SIGTERM, SIGKILL a second later, and a moment to be waited for.
constexpr std::chrono::seconds kLastResort{3};

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw PluginRefused("plugin " + path + " refused: " + why);
}

void add_methods(const HostedPlugin& plugin, const std::string& path,
                 const std::shared_ptr<pipe::EventTarget>& target, Dispatcher& dispatcher) {
  const auto taken = dispatcher.methods();
  for (const auto& method : plugin.methods) {
    const auto name = method.verb + "_" + method.noun;
    if (std::binary_search(taken.begin(), taken.end(), name)) {
      refuse(path, "method '" + name + "' belongs to another plugin already");
    }
  }
  for (const auto& method : plugin.methods) {
    const auto flags = method.idempotent ? Flags::idempotent : Flags::none;
    try {
      dispatcher.add(method.verb, method.noun, flags, target);
    } catch (const std::invalid_argument& e) {
      refuse(path, e.what());
    }
  }
}

}  // namespace

IsolatedPlugins::IsolatedPlugins(Options options)
    : options_(std::move(options)),
      thread_(std::make_shared<pipe::IoThread>()),
      pipes_(options_.settings.role) {
  thread_->start();
}

IsolatedPlugins::~IsolatedPlugins() { stop(); }

void IsolatedPlugins::load(const std::string& path, Dispatcher& dispatcher) {
  for (const auto& file : plugin_files(path)) load_file(file, dispatcher);
}

void IsolatedPlugins::load_file(const std::string& path, Dispatcher& dispatcher) {
  auto plugin = std::make_shared<IsolatedPlugin>(path, options_.settings, options_.times,
                                                 *options_.launcher, pipes_, thread_);
  plugins_.push_back(plugin);
  auto result = plugin->start();
  if (result.wait_for(options_.times.start + kLastResort) != std::future_status::ready) {
    refuse(path, "its host process does not answer");
  }
  const auto loaded = result.get();
  if (!loaded.plugin) throw PluginRefused(loaded.refusal);
  add_methods(*loaded.plugin, path, plugin->target(), dispatcher);
}

std::vector<IsolatedPlugin::Status> IsolatedPlugins::status() const {
  std::vector<IsolatedPlugin::Status> status;
  for (const auto& plugin : plugins_) status.push_back(plugin->status());
  return status;
}

void IsolatedPlugins::tell(const StateChange& change) {
  thread_->post([this, change] {
    pipes_.note(change);
    for (const auto& plugin : plugins_) plugin->tell(change);
  });
}

void IsolatedPlugins::set_log_level(LogLevel level) {
  thread_->post([this, level] {
    for (const auto& plugin : plugins_) plugin->set_log_level(level);
  });
}

void IsolatedPlugins::stop() {
  if (std::exchange(stopped_, true)) return;
  std::vector<std::future<void>> ends;
  for (const auto& plugin : plugins_) {
    auto ended = std::make_shared<std::promise<void>>();
    ends.push_back(ended->get_future());
    thread_->post([plugin, ended] { plugin->stop([ended] { ended->set_value(); }); });
  }
  const auto until = pipe::Clock::now() + options_.times.stop + kLastResort;
  for (const auto& end : ends) {
    if (end.wait_until(until) == std::future_status::ready) continue;
    log(LogLevel::error, "plugin", "A host process cannot be ended");
  }
  thread_->stop();
}

}  // namespace rp::handlers
