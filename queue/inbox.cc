#include "queue/inbox.h"

#include <string>
#include <utility>

namespace rp::queue {
namespace {

// What is made durable together. More would make the first of a group wait for the last.
constexpr std::size_t kTogetherMax = 1'024;
constexpr std::size_t kTogetherBytesMax = 16 * 1'024 * 1'024;

}  // namespace

std::optional<Error> Inbox::push(std::unique_ptr<Operation>& operation) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return Error{.code = Errc::closed, .detail = "the message engine is closing"};
    if (operations_.size() >= operations_max_ || bytes_ >= bytes_max_) {
      return Error{.code = Errc::overloaded,
                   .detail = std::to_string(operations_.size()) + " operations with " +
                             std::to_string(bytes_) + " bytes wait for the message engine"};
    }
    bytes_ += operation->bytes();
    operations_.push_back(std::move(operation));
  }
  news_.notify_one();
  return std::nullopt;
}

void Inbox::push_cancelled(std::shared_ptr<Waiting> waiting) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;  // then every waiter is completed anyway
    cancelled_.push_back(std::move(waiting));
  }
  news_.notify_one();
}

void Inbox::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  news_.notify_one();
}

void Inbox::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  news_.notify_one();
}

Inbox::Taken Inbox::take(Milliseconds wait_max) {
  std::unique_lock lock(mutex_);
  if (wait_max > Milliseconds(0)) {
    news_.wait_for(lock, wait_max, [&] {
      return woken_ || closing_ || !operations_.empty() || !cancelled_.empty();
    });
  }
  woken_ = false;
  Taken taken;
  taken.closing = closing_;
  taken.cancelled = std::exchange(cancelled_, {});
  std::size_t bytes = 0;
  while (!operations_.empty()) {
    const bool enough = taken.operations.size() >= kTogetherMax || bytes >= kTogetherBytesMax;
    if (enough && !closing_) break;
    bytes += operations_.front()->bytes();
    taken.operations.push_back(std::move(operations_.front()));
    operations_.pop_front();
  }
  bytes_ -= bytes;
  return taken;
}

}  // namespace rp::queue
