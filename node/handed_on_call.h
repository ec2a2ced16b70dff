#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include "pipe/event.h"

namespace rp::node {

/// A call that is held for a while and then handed on to whoever can answer it: what its caller
/// asks of it is kept for, or passed to, the call that it became.
///
/// All members are safe from any thread.
class HandedOnCall : public pipe::CallControl {
 public:
  void cancel() override {
    std::unique_lock lock(mutex_);
    cancelled_ = true;
    const auto next = next_;
    lock.unlock();
    if (next) next->cancel();
  }

  void consumed(std::size_t bytes) override {
    std::unique_lock lock(mutex_);
    const auto next = next_;
    lock.unlock();
    if (next) next->consumed(bytes);
  }

 protected:
  /// The caller has left: nothing needs to be handed on.
  bool is_cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

  /// Once: from now on `next` is what the caller steers.
  void hand_on(std::shared_ptr<pipe::CallControl> next) {
    std::unique_lock lock(mutex_);
    next_ = next;
    const bool cancelled = cancelled_;
    lock.unlock();
    if (cancelled) next->cancel();
  }

 private:
  mutable std::mutex mutex_;  // guards the two below
  std::shared_ptr<pipe::CallControl> next_;
  bool cancelled_ = false;
};

}  // namespace rp::node
