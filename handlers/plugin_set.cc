#include "handlers/plugin_set.h"

#include <functional>
#include <future>
#include <utility>

#include "handlers/loaded_plugin.h"
#include "handlers/plugin_call.h"
#include "handlers/trusted_file.h"
#include "handlers/worker_pool.h"
#include "pipe/log.h"

namespace rp::handlers {
namespace {

using Plugins = std::vector<std::shared_ptr<LoadedPlugin>>;

double unix_seconds(std::optional<PluginSet::WallClock::time_point> time) {
  if (!time) return 0;
  return std::chrono::duration<double>(time->time_since_epoch()).count();
}

using Kind = StateChange::Kind;

restpipe_peer to_abi(const PipePeer& peer) noexcept {
  return {sizeof(restpipe_peer), to_text(peer.name), to_text(peer.address), peer.port};
}

const char* name_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::start_hook:
      return "start_hook";
    case Kind::stop_hook:
      return "stop_hook";
    case Kind::idle:
      return "idle";
    case Kind::connection_added:
      return "connection_added";
    case Kind::connection_removed:
      return "connection_removed";
    case Kind::connect_success:
      return "connect_success";
    case Kind::connect_fail:
      break;
  }
  return "connect_fail";
}

void tell_one(LoadedPlugin& plugin, const StateChange& change) noexcept {
  const auto peer = to_abi(change.peer);
  const auto& f = plugin.functions();
  const char* const which = name_of(change.kind);
  switch (change.kind) {
    case Kind::start_hook:
      return plugin.tell(which, f.start_hook, &peer);
    case Kind::stop_hook:
      return plugin.tell(which, f.stop_hook, &peer);
    case Kind::idle:
      return plugin.tell(which, f.idle, change.since_s, change.seconds);
    case Kind::connection_added:
      return plugin.tell(which, f.connection_added, &peer, change.count);
    case Kind::connection_removed:
      return plugin.tell(which, f.connection_removed, &peer, change.count);
    case Kind::connect_success:
      return plugin.tell(which, f.connect_success, change.count, change.since_s);
    case Kind::connect_fail:
      return plugin.tell(which, f.connect_fail, change.count, change.since_s);
  }
}

}  // namespace

class PluginSet::Core {
 public:
  Core(Role r, std::string name, Dispatcher& d)
      : role(r), node_name(std::move(name)), dispatcher(d), callbacks(1, kCallbacksMax) {}

  void take(std::unique_ptr<Library> library, restpipe_plugin_init_fn init,
            const std::string& path) {
    auto plugin = std::make_shared<LoadedPlugin>(role, node_name, std::move(library));
    plugin->init(init, path, dispatcher);
    log(LogLevel::debug, "handlers", "plugin loaded", {{"plugin", plugin->name()}, {"path", path}});
    plugins.push_back(std::move(plugin));
  }

  /// Lets every plugin hear of one happening, later and in order.
  void announce(StateChange change) {
    if (listener) listener(change);
    const char* const which = name_of(change.kind);
    const bool taken = callbacks.try_post([all = plugins, change = std::move(change)] {
      for (const auto& plugin : all) tell_one(*plugin, change);
    });
    if (!taken) log(LogLevel::warning, "handlers", "state callback dropped", {{"callback", which}});
  }

  /// True when all that was announced has been told.
  bool finish_callbacks(std::chrono::milliseconds wait) {
    auto told = std::make_shared<std::promise<void>>();
    auto done = told->get_future();
    const bool posted = callbacks.try_post([told] { told->set_value(); });
    const bool finished = posted && done.wait_for(wait) == std::future_status::ready;
    return callbacks.stop({}) == 0 && finished;
  }

  const Role role;
  const std::string node_name;
  Dispatcher& dispatcher;
  Plugins plugins;
  std::function<void(const StateChange&)> listener;
  WorkerPool callbacks;  // one thread: the order is kept
  bool stopped = false;
};

PluginSet::PluginSet(Role role, std::string node_name, Dispatcher& dispatcher)
    : core_(std::make_unique<Core>(role, std::move(node_name), dispatcher)) {}

PluginSet::~PluginSet() { stop(); }

void PluginSet::load(const std::string& path) {
  for (const auto& file : plugin_files(path)) {
    auto library = std::make_unique<Library>(open_trusted(file), file);
    const auto entry = library->entry(file);
    core_->take(std::move(library), entry, file);
  }
}

void PluginSet::load_builtin(const std::string& name, restpipe_plugin_init_fn init) {
  core_->take(nullptr, init, name);
}

std::vector<std::string> PluginSet::names() const {
  std::vector<std::string> names;
  for (const auto& plugin : core_->plugins) names.push_back(plugin->name());
  return names;
}

void PluginSet::set_listener(std::function<void(const StateChange&)> listener) {
  core_->listener = std::move(listener);
}

void PluginSet::tell(StateChange change) { core_->announce(std::move(change)); }

void PluginSet::start_hook(Peer peer) { tell({Kind::start_hook, std::move(peer)}); }

void PluginSet::stop_hook(Peer peer) { tell({Kind::stop_hook, std::move(peer)}); }

void PluginSet::idle(WallClock::time_point waiting_since, std::chrono::seconds waited) {
  tell({Kind::idle,
        {},
        0,
        unix_seconds(waiting_since),
        std::chrono::duration<double>(waited).count()});
}

void PluginSet::connection_added(Peer peer, std::size_t new_count) {
  tell({Kind::connection_added, std::move(peer), new_count});
}

void PluginSet::connection_removed(Peer peer, std::size_t new_count) {
  tell({Kind::connection_removed, std::move(peer), new_count});
}

void PluginSet::connect_success(std::uint64_t retry_attempts,
                                std::optional<WallClock::time_point> last_disconnected) {
  tell({Kind::connect_success, {}, retry_attempts, unix_seconds(last_disconnected)});
}

void PluginSet::connect_fail(std::uint64_t retry_attempts,
                             std::optional<WallClock::time_point> last_disconnected) {
  tell({Kind::connect_fail, {}, retry_attempts, unix_seconds(last_disconnected)});
}

void PluginSet::stop(std::chrono::milliseconds wait, bool handlers_stuck) {
  if (std::exchange(core_->stopped, true)) return;
  const bool callbacks_done = core_->finish_callbacks(wait);
  if (!callbacks_done || handlers_stuck) {
    log(LogLevel::warning, "handlers", "plugins are left running: one of them does not return");
    // The stuck code must stay in memory until the process ends, and so must what it uses.
    static auto* const kept = new Plugins;
    kept->insert(kept->end(), core_->plugins.begin(), core_->plugins.end());
    return;
  }
  while (!core_->plugins.empty()) {
    auto& plugin = *core_->plugins.back();
    plugin.tell("shutdown", plugin.functions().shutdown);
    core_->plugins.pop_back();
  }
}

}  // namespace rp::handlers
