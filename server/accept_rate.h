#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace rp::server {

/// A token bucket for accepted connections: when thousands of clients return at once, their
/// handshakes wait in the kernel's queue instead of starving the pipes that are up.
///
/// Decisions only: the caller waits. One thread.
class AcceptRate {
 public:
  using Clock = std::chrono::steady_clock;

  /// At most `per_second` in the long run, and a tenth of that at once.
  AcceptRate(std::size_t per_second, Clock::time_point now)
      : interval_(std::chrono::nanoseconds(std::chrono::seconds(1)) / per_second),
        burst_(interval_ * std::max<std::size_t>(1, per_second / 10)),
        next_at_(now) {}

  /// A connection was accepted; returns how long to wait before the next one.
  Clock::duration taken(Clock::time_point now) {
    next_at_ = std::max(next_at_, now - burst_) + interval_;
    return std::max(next_at_ - now, Clock::duration::zero());
  }

 private:
  const std::chrono::nanoseconds interval_;
  const std::chrono::nanoseconds burst_;
  Clock::time_point next_at_;  // when the bucket holds a token again, or did
};

}  // namespace rp::server
