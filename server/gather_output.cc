#include "server/gather_output.h"

#include <algorithm>
#include <utility>

namespace rp::server {
namespace {

// One piece of a stream: what a link carries in one go.
constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;

}  // namespace

void GatherOutput::begin(pipe::ReplyHead&& head) {
  const std::lock_guard lock(mutex_);
  head_ = std::move(head);
}

void GatherOutput::push(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (over_) return;
  while (!text.empty()) {
    if (waiting_.empty() || waiting_.back().size() == kPieceBytes) waiting_.emplace_back();
    std::string& piece = waiting_.back();
    const auto part = text.substr(0, kPieceBytes - piece.size());
    piece += part;
    text.remove_prefix(part.size());
  }
}

void GatherOutput::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
}

void GatherOutput::reply(pipe::ReplyHead&& head, std::string&& body) {
  const std::lock_guard lock(mutex_);
  head_ = std::move(head);
  whole_ = std::move(body);
}

void GatherOutput::fail(pipe::Failure failure) {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(failure);
}

void GatherOutput::consumed(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  unconsumed_ -= std::min(bytes, unconsumed_);
}

void GatherOutput::stop() {
  const std::lock_guard lock(mutex_);
  over_ = true;
  waiting_.clear();
}

void GatherOutput::run() {
  std::unique_lock lock(mutex_);
  if (running_) return;
  running_ = true;
  while (step(lock)) {
  }
  running_ = false;
}

/// Says one thing to the sink, without the lock; false when there is nothing to say.
bool GatherOutput::step(std::unique_lock<std::mutex>& lock) {
  if (over_) return false;
  const auto say = [&](auto&& f) {
    lock.unlock();
    f();
    lock.lock();
    return true;
  };
  if (failure_) {
    over_ = true;
    return say([&, failure = std::move(*failure_)]() mutable { sink_->fail(std::move(failure)); });
  }
  if (whole_) {
    over_ = true;
    return say([&, head = std::move(*head_), body = std::move(*whole_)]() mutable {
      sink_->reply(std::move(head), std::move(body));
    });
  }
  if (head_) {
    auto head = std::move(*head_);
    head_.reset();
    return say([&] { sink_->begin(std::move(head)); });
  }
  if (!waiting_.empty() && unconsumed_ + waiting_.front().size() <= pipe::kStreamWindowBytes) {
    std::string piece = std::move(waiting_.front());
    waiting_.pop_front();
    unconsumed_ += piece.size();
    return say([&] { sink_->data(std::move(piece)); });
  }
  if (waiting_.empty() && ended_) {
    over_ = true;
    return say([&] { sink_->end(); });
  }
  return false;
}

}  // namespace rp::server
