#include "handlers/arriving_body.h"

#include <algorithm>
#include <utility>

namespace rp::handlers {

using pipe::Clock;

void ArrivingBody::push(std::string piece) {
  if (piece.empty()) return;
  unread_bytes_ += piece.size();
  pieces_.push_back(std::move(piece));
  due_.store(Clock::time_point::max(), std::memory_order_relaxed);
}

std::size_t ArrivingBody::take(char* to, std::size_t size, std::size_t& freed) {
  std::size_t taken = 0;
  freed = 0;
  while (taken < size && !pieces_.empty()) {
    const auto& piece = pieces_.front();
    const auto copied = piece.copy(to + taken, size - taken, first_read_);
    taken += copied;
    first_read_ += copied;
    if (first_read_ < piece.size()) break;
    freed += piece.size();
    pieces_.pop_front();
    first_read_ = 0;
  }
  unread_bytes_ -= freed;
  if (freed > 0 && pieces_.empty()) wait_for_more();
  return taken;
}

void ArrivingBody::end() noexcept {
  ended_ = true;
  open_.store(false, std::memory_order_relaxed);
}

void ArrivingBody::break_off() noexcept {
  broken_ = !ended_;
  open_.store(false, std::memory_order_relaxed);
}

void ArrivingBody::wait_for_more() noexcept {
  if (!ended_ && pieces_.empty()) {
    due_.store(Clock::now() + timeout_, std::memory_order_relaxed);
  }
}

Clock::time_point ArrivingBody::good_until(Clock::time_point now) const noexcept {
  if (!is_open()) return Clock::time_point::max();
  const auto due = due_.load(std::memory_order_relaxed);
  if (due != Clock::time_point::max()) return due;
  return std::max(now, Clock::time_point{}) + timeout_;
}

}  // namespace rp::handlers
