#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// How the benchmarks count: closed loops, latencies, and the line that tools/bench/run reads.
namespace rp::bench {

using Clock = std::chrono::steady_clock;

/// Counts durations in buckets that are at most 1/128 wide of their value.
class Histogram {
 public:
  void add(std::chrono::nanoseconds duration);
  /// The duration that `fraction` (0 to 1) of the counted ones do not exceed; 0 when there is none.
  std::chrono::nanoseconds quantile(double fraction) const;
  std::uint64_t count() const { return count_; }

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
};

/// A fixed number of callers, each of which makes its next call when it has its answer.
///
/// Used from one thread at a time. The clock is read once per answer, the same for every side of
/// a comparison.
class ClosedLoop {
 public:
  struct Options {
    std::size_t in_flight = 1;
    std::chrono::milliseconds warm_up{300};  ///< calls that start in it are not counted
    std::chrono::milliseconds measured{2000};
  };

  explicit ClosedLoop(Options options);

  std::size_t in_flight() const { return options_.in_flight; }
  /// Starts the clock and every caller's first call.
  void start();
  /// One caller's answer has come. True: make its next call now. False: time is up.
  bool answered(std::size_t caller);
  /// Every caller has had its last answer.
  bool done() const { return ended_ == options_.in_flight; }

  /// "calls_per_s=... p50_us=... p99_us=..."
  std::string figures() const;

 private:
  const Options options_;
  std::vector<Clock::time_point> called_at_;  // by caller
  Clock::time_point measured_from_;
  Clock::time_point measured_until_;
  std::size_t ended_ = 0;
  Histogram latencies_;
};

}  // namespace rp::bench
