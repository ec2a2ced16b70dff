#pragma once

#include <chrono>

namespace rp::queue {

/// The two clocks of the engine, so that a test can move them.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Never goes back. Every time-out runs on it.
  virtual std::chrono::steady_clock::time_point steady() const = 0;
  /// May jump. Read when the store is opened, and to translate times that callers give or see.
  virtual std::chrono::system_clock::time_point wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::now();
  }
  std::chrono::system_clock::time_point wall() const override {
    return std::chrono::system_clock::now();
  }
};

}  // namespace rp::queue
