#include "handlers/live_calls.h"

#include <utility>
#include <vector>

namespace rp::handlers {

using pipe::Clock;

LiveCalls::~LiveCalls() { stop(); }

LiveCalls::Added LiveCalls::add(LiveCall& call) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return Added::closed;
    if (calls_.size() >= calls_max_) return Added::full;
    call.looked_at_ = call.good_until(Clock::time_point::min());
    calls_.insert(call);
    // The thread sleeps on, even when the call it sleeps for has gone: with time-outs of one length
    // it is so woken once for each such length, not for each call.
    if (call.looked_at_ >= wakes_at_) return Added::yes;
    wakes_at_ = call.looked_at_;
  }
  changed_.notify_all();
  return Added::yes;
}

void LiveCalls::remove(LiveCall& call) noexcept {
  const std::lock_guard lock(mutex_);
  if (!call.is_linked()) return;
  calls_.erase(calls_.iterator_to(call));
  if (closed_ && calls_.empty()) changed_.notify_all();
}

std::size_t LiveCalls::size() const noexcept {
  const std::lock_guard lock(mutex_);
  return calls_.size();
}

std::shared_ptr<LiveCall> LiveCalls::take_first() {
  auto& first = *calls_.begin();
  calls_.erase(calls_.begin());
  return first.weak_from_this().lock();
}

void LiveCalls::expire(Clock::time_point now) {
  std::vector<std::shared_ptr<LiveCall>> due;
  {
    const std::lock_guard lock(mutex_);
    while (!calls_.empty() && calls_.begin()->looked_at_ <= now) {
      auto& first = *calls_.begin();
      const auto until = first.good_until(now);
      if (until > now) {
        calls_.erase(calls_.begin());
        first.looked_at_ = until;
        calls_.insert(first);
      } else if (auto call = take_first()) {
        due.push_back(std::move(call));
      }
    }
    if (closed_ && calls_.empty()) changed_.notify_all();
  }
  for (const auto& call : due) {
    call->abort({pipe::Errc::deadline_exceeded, call->who_is_late()});
  }
}

void LiveCalls::start() {
  wakes_at_ = Clock::time_point::max();
  thread_ = std::thread([this] { watch(); });
}

void LiveCalls::watch() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wakes_at_ = calls_.empty() ? Clock::time_point::max() : calls_.begin()->looked_at_;
    if (wakes_at_ == Clock::time_point::max()) {
      changed_.wait(lock);  // "until max" overflows inside the library
    } else {
      changed_.wait_until(lock, Clock::time_point(wakes_at_));
    }
    if (stopping_) return;
    lock.unlock();
    expire(Clock::now());
    lock.lock();
  }
}

void LiveCalls::stop() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LiveCalls::drain(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  closed_ = true;
  changed_.wait_until(lock, until, [this] { return calls_.empty(); });
}

void LiveCalls::abort_all(const pipe::Failure& failure) {
  std::vector<std::shared_ptr<LiveCall>> left;
  {
    const std::lock_guard lock(mutex_);
    while (!calls_.empty()) {
      if (auto call = take_first()) left.push_back(std::move(call));
    }
  }
  for (const auto& call : left) call->abort(failure);
}

}  // namespace rp::handlers
