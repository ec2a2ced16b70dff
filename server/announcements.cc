#include "server/announcements.h"

#include <utility>

#include "node/nodes_page.h"
#include "pipe/log.h"

namespace rp::server {
namespace {

handlers::PluginSet::Peer plugin_peer(const pipe::Origin& origin) {
  return {.name = origin.node, .address = origin.address, .port = origin.port};
}

}  // namespace

void Announcements::up(Registry::Client client, const std::string& software, bool resumed) {
  const pipe::Origin origin = client.origin;
  const auto target = client.target;
  log(LogLevel::info, "server", resumed ? "Pipe is up again" : "Pipe is up",
      {{"peer", origin.node}, {"address", origin.address}, {"software", software}});
  {
    const std::lock_guard lock(mutex_);
    const auto replaced = registry_.add(std::move(client));
    auto& plugins = runtime_.plugins();
    const std::size_t count = registry_.size();
    if (replaced) {
      log(LogLevel::info, "server", "A newer pipe of the same identity takes over",
          {{"peer", origin.node}, {"old_address", replaced->origin.address}});
      plugins.stop_hook(plugin_peer(replaced->origin));
      plugins.connection_removed(plugin_peer(replaced->origin), count - 1);
    }
    plugins.connection_added(plugin_peer(origin), count);
    plugins.start_hook(plugin_peer(origin));
    idle_.count_changed(count);
    node::tell_up(runtime_.feed(), origin, software, resumed);
  }
  runtime_.waiting().forward({origin.node, origin.address}, *target);
}

void Announcements::down(const pipe::Origin& client, std::uint64_t number, pipe::error_code why,
                         bool kept) {
  log(LogLevel::info, "server", "Pipe is down", {{"peer", client.node}, {"reason", why.message()}});
  const std::lock_guard lock(mutex_);
  if (!registry_.remove(client.node, number)) return;
  auto& plugins = runtime_.plugins();
  const std::size_t count = registry_.size();
  plugins.stop_hook(plugin_peer(client));
  plugins.connection_removed(plugin_peer(client), count);
  idle_.count_changed(count);
  if (kept) node::tell_detached(runtime_.feed(), client, why);
}

void Announcements::ended(const pipe::Origin& client, std::uint64_t number, pipe::error_code why) {
  const std::lock_guard lock(mutex_);
  const auto now = registry_.find(client.node);
  if (now && now->pipe != number) return;  // it has joined anew before this was noticed
  node::tell_left(runtime_.feed(), client, why);
}

}  // namespace rp::server
