#pragma once

#include <algorithm>

#include "pipe/event.h"

namespace rp::pipe {

/// When a node that waits for something on behalf of a caller stops, and gives what it has by then:
/// early enough for the way of that answer to whoever waits until `deadline`. A fifth of the time
/// left is for the way, and at most a second: a long way over a bad line, or a busy machine.
inline Clock::time_point answer_by(Clock::time_point deadline, Clock::time_point now) {
  if (deadline == Clock::time_point::max()) return deadline;
  const auto left = std::max(deadline - now, Clock::duration::zero());
  return now + left - std::min<Clock::duration>(left / 5, std::chrono::seconds(1));
}

}  // namespace rp::pipe
