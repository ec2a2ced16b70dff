#pragma once

#include <mutex>
#include <string>

#include "node/runtime.h"
#include "server/idle_watch.h"
#include "server/registry.h"

namespace rp::server {

/// Pipes that come up and go down, as the registry, the plugins and the log hear of it: always in
/// one order. A session that lasts from link to link is announced with each of them.
///
/// All members are safe from any thread.
class Announcements {
 public:
  /// All three outlive this object.
  Announcements(node::Runtime& runtime, Registry& registry, IdleWatch& idle)
      : runtime_(runtime), registry_(registry), idle_(idle) {}

  /// A client's pipe is up. Calls that wait for it are submitted.
  void up(Registry::Client client, const std::string& software, bool resumed);
  /// The pipe with that number is down, unless a newer one has taken its place. `kept`: its session
  /// waits for another link.
  void down(const pipe::Origin& client, std::uint64_t number, pipe::error_code why, bool kept);
  /// The session of that pipe is over.
  void ended(const pipe::Origin& client, std::uint64_t number, pipe::error_code why);

 private:
  node::Runtime& runtime_;
  Registry& registry_;
  IdleWatch& idle_;
  std::mutex mutex_;
};

}  // namespace rp::server
