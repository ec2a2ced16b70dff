#include "tools/bench/meter.h"

#include <algorithm>
#include <bit>
#include <cstdio>

namespace rp::bench {
namespace {

// Values below 2^kExactBits have a bucket each; above, each power of two has 2^(kExactBits - 1).
constexpr int kExactBits = 8;
constexpr std::uint64_t kHalf = std::uint64_t{1} << (kExactBits - 1);

std::size_t bucket_of(std::uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kExactBits);
  return static_cast<std::size_t>((value >> shift) + static_cast<std::uint64_t>(shift) * kHalf);
}

std::uint64_t lowest_in(std::size_t bucket) {
  if (bucket < 2 * kHalf) return bucket;
  const std::uint64_t shift = bucket / kHalf - 1;
  return (bucket - shift * kHalf) << shift;
}

}  // namespace

void Histogram::add(std::chrono::nanoseconds duration) {
  const std::size_t bucket = bucket_of(static_cast<std::uint64_t>(duration.count()));
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  ++count_;
}

std::chrono::nanoseconds Histogram::quantile(double fraction) const {
  const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(count_));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen > wanted || (seen > 0 && seen == count_)) {
      return std::chrono::nanoseconds(lowest_in(bucket));
    }
  }
  return {};
}

ClosedLoop::ClosedLoop(Options options) : options_(options), called_at_(options.in_flight) {}

void ClosedLoop::start() {
  const auto now = Clock::now();
  measured_from_ = now + options_.warm_up;
  measured_until_ = measured_from_ + options_.measured;
  std::fill(called_at_.begin(), called_at_.end(), now);
}

bool ClosedLoop::answered(std::size_t caller) {
  const auto now = Clock::now();
  auto& called_at = called_at_[caller];
  if (called_at >= measured_from_ && now < measured_until_) latencies_.add(now - called_at);
  called_at = now;
  if (now < measured_until_) return true;
  ++ended_;
  return false;
}

std::string ClosedLoop::figures() const {
  const auto microseconds = [](std::chrono::nanoseconds d) {
    return std::chrono::duration<double, std::micro>(d).count();
  };
  const double seconds = std::chrono::duration<double>(options_.measured).count();
  char line[128];
  std::snprintf(line, sizeof line, "calls_per_s=%.0f p50_us=%.1f p99_us=%.1f",
                static_cast<double>(latencies_.count()) / seconds,
                microseconds(latencies_.quantile(0.50)), microseconds(latencies_.quantile(0.99)));
  return line;
}

}  // namespace rp::bench
