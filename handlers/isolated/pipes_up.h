#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "handlers/plugin_set.h"
#include "handlers/state_change.h"

namespace rp::handlers {

/// The pipes that are up, as plugins have heard of them: a plugin that begins anew hears of each of
/// them as if it had just come.
class PipesUp final {
 public:
  explicit PipesUp(Role role) : role_(role) {}

  void note(const StateChange& change) {
    if (change.kind == StateChange::Kind::start_hook) peers_[change.peer.name] = change.peer;
    if (change.kind == StateChange::Kind::stop_hook) peers_.erase(change.peer.name);
  }

  std::size_t size() const { return peers_.size(); }

  /// What would have been said, in the order of the names.
  std::vector<StateChange> changes() const {
    std::vector<StateChange> changes;
    std::uint64_t count = 0;
    for (const auto& [name, peer] : peers_) {
      if (role_ == Role::server) {
        changes.push_back({StateChange::Kind::connection_added, peer, ++count});
      }
      changes.push_back({StateChange::Kind::start_hook, peer});
    }
    return changes;
  }

 private:
  const Role role_;
  std::map<std::string, PipePeer> peers_;  // by identity, which has one pipe at a time
};

}  // namespace rp::handlers
