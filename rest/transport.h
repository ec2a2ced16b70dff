#pragma once

#include <chrono>
#include <memory>

#include "rest/gate.h"
#include "rest/guard.h"
#include "rest/limits.h"
#include "rest/mailbox.h"
#include "rest/router.h"
#include "rest/stats.h"

namespace rp::rest {

/// The threads that own the connections: Pistache's reactor with a transport of ours on each.
///
/// What Pistache 0.0.5 does safely stays its own: polling, reading, the parser, the life of peers.
/// Everything else of it is replaced: writing (answers go out on the owning thread, after a check
/// that the connection is still the same one), framing (the gate stands in front of the parser),
/// deadlines, and closing.
class TransportGroup {
 public:
  /// The references outlive the group; `handler` is called on its threads.
  TransportGroup(unsigned threads, const Limits& limits, const Guard& guard, const Handler& handler,
                 const Gate::Streams& streams_body, Stats& stats);
  ~TransportGroup();
  TransportGroup(const TransportGroup&) = delete;
  TransportGroup& operator=(const TransportGroup&) = delete;

  /// From any thread. The descriptor is non-blocking, counted in Stats::connections_open, and the
  /// group's from here on.
  void hand_over(Arrival arrival);

  /// From now on connections close after their answer, and idle ones at once.
  void begin_drain();
  /// True as soon as no connection is open, false when `timeout` has passed before.
  bool wait_until_empty(std::chrono::milliseconds timeout);
  /// Closes what is left and ends the threads. Idempotent.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rp::rest
