#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace rp::pipe {

/// Waiting times between attempts to connect: exponential with full jitter, so that thousands of
/// clients of a restarted server spread out instead of returning in waves.
class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds base{100};  ///< bound of the first wait
    std::chrono::milliseconds cap{5000};  ///< bound of every wait: a server that is back is found
                                          ///< within this time
  };

  Backoff(Options options, std::uint64_t seed) : options_(options), random_(seed) {}

  /// A wait between a tenth of the bound and the bound, which doubles with every call up to the
  /// cap. Not from zero: a refused connection must never become a busy loop.
  std::chrono::milliseconds next() {
    const std::chrono::milliseconds doubled = options_.base * (1LL << doublings_);
    const auto bound = std::min(options_.cap, doubled);
    if (bound < options_.cap) ++doublings_;
    std::uniform_int_distribution<std::int64_t> wait(bound.count() / 10, bound.count());
    return std::chrono::milliseconds(wait(random_));
  }

  /// The connection has proved stable: start from the base again.
  void reset() { doublings_ = 0; }

 private:
  Options options_;
  std::mt19937_64 random_;
  int doublings_ = 0;
};

}  // namespace rp::pipe
