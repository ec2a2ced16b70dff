#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "rest/arrival.h"
#include "rest/gate.h"
#include "rest/guard.h"
#include "rest/limits.h"
#include "rest/router.h"
#include "rest/stats.h"

namespace rp::pipe {
class IoThread;
}

namespace rp::rest {

/// The connections, each on one of the I/O threads, which they share with pipes: a call that comes
/// in here leaves through a pipe of the same thread without a switch in between.
class TransportGroup {
 public:
  /// The references outlive the group; `handler` is called on the threads, of which there is one at
  /// least. They neither begin nor end while stop() is under way.
  TransportGroup(const std::vector<std::shared_ptr<pipe::IoThread>>& threads, const Limits& limits,
                 const Guard& guard, const Handler& handler, const Gate::Streams& streams_body,
                 Stats& stats);
  ~TransportGroup();
  TransportGroup(const TransportGroup&) = delete;
  TransportGroup& operator=(const TransportGroup&) = delete;

  /// From any thread.
  void hand_over(Arrival arrival);

  /// From now on connections close after their answer, and idle ones at once.
  void begin_drain();
  /// True as soon as no connection is open, false when `timeout` has passed before.
  bool wait_until_empty(std::chrono::milliseconds timeout);
  /// Closes what is left. Idempotent; not to be called on one of the threads.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rp::rest
