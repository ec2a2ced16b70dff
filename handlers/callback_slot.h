#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace rp::handlers {

/// Holds one callback that runs at most once, and can be taken back for sure.
class CallbackSlot final {
 public:
  /// Replaces what was there.
  void set(std::function<void()> callback) {
    const std::lock_guard lock(mutex_);
    callback_ = std::move(callback);
  }

  /// Afterwards the callback is not running and will not run; unless it is the callback that calls.
  void clear() {
    std::unique_lock lock(mutex_);
    callback_ = nullptr;
    const auto self = std::this_thread::get_id();
    ended_.wait(lock, [&] { return runner_ == std::thread::id{} || runner_ == self; });
  }

  /// Runs the callback, if there is one, without a lock. Fired by the callback itself, the next one
  /// runs right after it, not inside it; while another thread runs one, that thread does the same.
  void fire() {
    std::unique_lock lock(mutex_);
    if (!callback_) return;
    if (runner_ != std::thread::id{}) {
      again_ = true;
      return;
    }
    runner_ = std::this_thread::get_id();
    do {
      again_ = false;
      auto callback = std::exchange(callback_, nullptr);
      lock.unlock();
      callback();
      callback = nullptr;  // what it owns goes before clear() returns elsewhere
      lock.lock();
    } while (again_ && callback_);
    runner_ = {};
    ended_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::function<void()> callback_;
  std::thread::id runner_;  // the thread inside the callback; none: default id
  bool again_ = false;      // fired while running
};

}  // namespace rp::handlers
