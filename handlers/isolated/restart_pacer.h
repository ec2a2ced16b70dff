#pragma once

#include <chrono>
#include <cstdint>

#include "pipe/core/backoff.h"

namespace rp::handlers {

/// How long the host process of a plugin stays down after it has ended.
class RestartPacer {
 public:
  /// A host that was up for so long was healthy: its next restart comes soon.
  static constexpr std::chrono::seconds kStableAfter{30};
  /// The first pause is at most the base; a plugin that crashes at once is tried twice a minute.
  static constexpr pipe::Backoff::Options kPauses{.base = std::chrono::milliseconds(100),
                                                  .cap = std::chrono::milliseconds(30'000)};

  explicit RestartPacer(std::uint64_t seed, pipe::Backoff::Options pauses = kPauses)
      : backoff_(pauses, seed) {}

  /// The pause after a host that was up for `up`; zero for one that never was.
  std::chrono::milliseconds next(std::chrono::nanoseconds up) {
    if (up >= kStableAfter) backoff_.reset();
    return backoff_.next();
  }

 private:
  pipe::Backoff backoff_;
};

}  // namespace rp::handlers
