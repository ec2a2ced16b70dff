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

/// The threads that own the connections: Pistache's reactor runs and polls for them.
///
/// What Pistache 0.0.5 has above its reactor is not used: its transport writes by descriptor
/// number, and so to another client when one leaves at that moment; its parser is lenient about
/// framing. Reading, framing (the gate), deadlines, writing and closing are ours, all on the thread
/// that owns the connection.
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
