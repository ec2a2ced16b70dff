#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace rp::handlers {

/// Bounds the child processes that there are at once; whoever comes later waits in line, and the
/// line is bounded too. Lives on one thread.
class ProcessSlots final {
 public:
  /// Somebody who wants a slot.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    /// The slot is the waiter's, until give_back().
    virtual void on_slot() = 0;
    /// No slot is wanted any more.
    virtual bool gave_up() const noexcept = 0;
  };

  ProcessSlots(std::size_t slots, std::size_t waiting_max)
      : free_(slots), waiting_max_(waiting_max) {}

  /// Calls on_slot(), now or later; false when the line is full.
  bool take(std::shared_ptr<Waiter> waiter) {
    if (free_ > 0) {
      --free_;
      waiter->on_slot();
      return true;
    }
    std::erase_if(waiting_, [](const auto& w) { return w->gave_up(); });
    if (waiting_.size() >= waiting_max_) return false;
    waiting_.push_back(std::move(waiter));
    return true;
  }

  void give_back() {
    while (!waiting_.empty()) {
      const auto next = std::move(waiting_.front());
      waiting_.pop_front();
      if (!next->gave_up()) return next->on_slot();
    }
    ++free_;
  }

 private:
  std::size_t free_;
  const std::size_t waiting_max_;
  std::deque<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace rp::handlers
