#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "pipe/event.h"

namespace rp::node {

/// A call that is held for a while and then handed on to whoever can answer it: what its caller
/// asks of it is kept for, or passed to, the call that it became. Pieces of its body that come
/// meanwhile are kept too: at most pipe::kStreamWindowBytes, since nothing consumes them.
///
/// All members are safe from any thread.
class HandedOnCall : public pipe::CallControl {
 public:
  void cancel() override {
    std::unique_lock lock(mutex_);
    cancelled_ = true;
    kept_.clear();
    const auto next = next_;
    lock.unlock();
    if (next) next->cancel();
  }

  void consumed(std::size_t bytes) override {
    std::unique_lock lock(mutex_);
    const auto next = next_;
    if (!next) consumed_ += bytes;
    lock.unlock();
    if (next) next->consumed(bytes);
  }

  void body_data(std::string piece) override {
    std::unique_lock lock(mutex_);
    const auto next = next_;
    if (!next && !cancelled_) kept_.push_back(std::move(piece));
    lock.unlock();
    if (next) next->body_data(std::move(piece));
  }

  void body_end() override {
    std::unique_lock lock(mutex_);
    const auto next = next_;
    if (!next) ended_ = true;
    lock.unlock();
    if (next) next->body_end();
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
    // What comes while the kept pieces are passed on queues behind them.
    while (!kept_.empty() && !cancelled_) {
      std::deque<std::string> pieces;
      pieces.swap(kept_);
      lock.unlock();
      for (std::string& piece : pieces) next->body_data(std::move(piece));
      lock.lock();
    }
    next_ = next;
    const bool cancelled = cancelled_;
    const bool ended = ended_;
    const std::size_t consumed = consumed_;
    lock.unlock();
    if (cancelled) return next->cancel();
    if (ended) next->body_end();
    if (consumed > 0) next->consumed(consumed);
  }

 private:
  mutable std::mutex mutex_;  // guards the rest
  std::shared_ptr<pipe::CallControl> next_;
  bool cancelled_ = false;
  std::deque<std::string> kept_;  // of the body
  bool ended_ = false;            // so is its end
  std::size_t consumed_ = 0;      // of a reply that began before hand_on()
};

}  // namespace rp::node
