#pragma once

#include <atomic>
#include <cstddef>

namespace rp::handlers {

/// How many bytes many calls may hold together. Safe from any thread.
class ByteBudget final {
 public:
  explicit ByteBudget(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  /// False, and nothing is taken, when that would exceed the budget.
  bool try_take(std::size_t bytes) noexcept {
    auto taken = taken_.load(std::memory_order_relaxed);
    do {
      if (bytes > bytes_max_ - taken) return false;
    } while (!taken_.compare_exchange_weak(taken, taken + bytes, std::memory_order_relaxed));
    return true;
  }
  void give_back(std::size_t bytes) noexcept { taken_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const std::size_t bytes_max_;
  std::atomic<std::size_t> taken_{0};
};

}  // namespace rp::handlers
