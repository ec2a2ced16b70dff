#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rp::node {

/// Whether the node can do its job, and if not why: what /healthz and /readyz say.
///
/// Each part of the node sets and clears its own reasons. All members are safe from any thread.
class Health {
 public:
  /// A fresh node is not ready because of `starting`; whoever finishes the start clears it.
  static constexpr std::string_view kStarting = "starting";
  static constexpr std::string_view kNoPipe = "no pipe to a server";
  static constexpr std::string_view kDraining = "draining";

  Health();

  /// While `holds`, the node is not ready for this reason: a short phrase without variable parts.
  void set(std::string_view reason, bool holds);

  bool ready() const;
  std::vector<std::string> reasons() const;  ///< sorted; empty exactly when ready

  /// Body of /healthz: the process answers, hence it is alive. Always for status 200.
  static std::string health_json();

  /// Body of /readyz, for status 200 when `ready` and 503 otherwise.
  struct Readiness {
    bool ready;
    std::string json;  ///< {"status":"ready"} or {"status":"not ready","reasons":[...]}
  };
  Readiness readiness() const;

 private:
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> reasons_;
};

}  // namespace rp::node
