#include "rest/exchange.h"

#include <algorithm>
#include <utility>

#include "pipe/event.h"
#include "rest/mailbox.h"

namespace rp::rest {

Exchange::Exchange(Request request, std::shared_ptr<Mailbox> mailbox, int fd,
                   std::uint64_t connection_id)
    : request_(std::move(request)),
      mailbox_(std::move(mailbox)),
      fd_(fd),
      connection_id_(connection_id),
      unsent_bytes_max_(mailbox_->stream_bytes_max()) {}

Exchange::~Exchange() {
  const bool unanswered = state_ == State::waiting || state_ == State::streaming;
  if (unanswered && !disconnected()) mailbox_->orphan({fd_, connection_id_});
}

void Exchange::let_body_follow(std::optional<std::uint64_t> body_bytes) {
  body_follows_ = true;
  body_bytes_ = body_bytes;
}

void Exchange::on_body(std::function<void(std::string)> data, std::function<void()> end) {
  on_body_data_ = std::move(data);
  on_body_end_ = std::move(end);
}

void Exchange::give_body(std::string piece) {
  {
    const std::lock_guard lock(mutex_);
    body_unconsumed_ += piece.size();
  }
  if (on_body_data_) on_body_data_(std::move(piece));
}

void Exchange::end_body() {
  on_body_data_ = nullptr;
  if (const auto end = std::exchange(on_body_end_, nullptr)) end();
}

void Exchange::forget_body() {
  on_body_data_ = nullptr;
  on_body_end_ = nullptr;
}

void Exchange::body_consumed(std::size_t bytes) {
  std::unique_lock lock(mutex_);
  body_unconsumed_ -= std::min(bytes, body_unconsumed_);
  // The client is read from again once half of the window is free, not for every piece.
  const bool has_room = body_unconsumed_ <= pipe::kStreamWindowBytes / 2;
  if (has_room && std::exchange(body_wanted_, false)) schedule(std::move(lock));
}

std::size_t Exchange::body_room() {
  const std::lock_guard lock(mutex_);
  const std::size_t held = std::min(body_unconsumed_, pipe::kStreamWindowBytes);
  body_wanted_ = held == pipe::kStreamWindowBytes;
  return pipe::kStreamWindowBytes - held;
}

void Exchange::respond(Response response) {
  std::function<void()> too_late;  // destroyed after the lock is released
  std::function<void(std::size_t)> not_needed;
  std::unique_lock lock(mutex_);
  if (state_ != State::waiting) return;
  outbox_.response = std::move(response);
  too_late = std::exchange(on_disconnect_, nullptr);
  not_needed = std::exchange(on_flushed_, nullptr);
  silent_ = true;
  state_ = State::complete;
  schedule(std::move(lock));
}

void Exchange::begin(ResponseHead head) {
  std::unique_lock lock(mutex_);
  if (state_ != State::waiting) return;
  outbox_.head = std::move(head);
  state_ = State::streaming;
  schedule(std::move(lock));
}

bool Exchange::write(std::string piece) {
  std::function<void()> cut_off;
  {
    std::unique_lock lock(mutex_);
    if (state_ != State::streaming || disconnected()) return false;
    if (piece.empty()) return true;
    if (piece.size() <= unsent_bytes_max_ - unsent_bytes_) {
      unsent_bytes_ += piece.size();
      if (outbox_.pieces.empty()) {
        outbox_.pieces = std::move(piece);
      } else {
        outbox_.pieces += piece;
      }
      schedule(std::move(lock));
      return true;
    }
    state_ = State::aborted;
    outbox_.aborted = true;
    cut_off = std::exchange(on_disconnect_, nullptr);
    schedule(std::move(lock));
  }
  if (cut_off) cut_off();
  return false;
}

void Exchange::end() {
  std::function<void()> too_late;  // destroyed after the lock is released
  std::unique_lock lock(mutex_);
  if (state_ != State::streaming) return;
  outbox_.ended = true;
  too_late = std::exchange(on_disconnect_, nullptr);
  state_ = State::complete;
  schedule(std::move(lock));
}

void Exchange::abort() {
  std::function<void()> too_late;  // destroyed after the lock is released
  std::unique_lock lock(mutex_);
  if (state_ != State::waiting && state_ != State::streaming) return;
  outbox_.aborted = true;
  too_late = std::exchange(on_disconnect_, nullptr);
  state_ = State::aborted;
  schedule(std::move(lock));
}

void Exchange::on_disconnect(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!disconnected()) {
      if (state_ == State::waiting || state_ == State::streaming)
        on_disconnect_ = std::move(callback);
      return;
    }
  }
  callback();
}

void Exchange::on_flushed(std::function<void(std::size_t)> callback) {
  std::size_t untold = 0;
  {
    const std::lock_guard lock(mutex_);
    untold = std::exchange(untold_bytes_, 0);
    if (!silent_) on_flushed_ = callback;
  }
  if (untold > 0) callback(untold);
}

void Exchange::schedule(std::unique_lock<std::mutex> lock) {
  // An exchange that nobody listens to any more needs no trip; one on its way takes this along.
  if (disconnected() || scheduled_) return;
  scheduled_ = true;
  lock.unlock();
  mailbox_->ready(shared_from_this());
}

Exchange::Outbox Exchange::take_outbox() {
  const std::lock_guard lock(mutex_);
  scheduled_ = false;
  return std::exchange(outbox_, Outbox{});
}

void Exchange::notify_disconnect() {
  std::function<void()> callback;
  std::function<void(std::size_t)> flushed;  // destroyed outside of the lock
  {
    const std::lock_guard lock(mutex_);
    disconnected_.store(true, std::memory_order_release);
    silent_ = true;
    callback = std::exchange(on_disconnect_, nullptr);
    flushed = std::exchange(on_flushed_, nullptr);
  }
  forget_body();
  if (callback) callback();
}

void Exchange::notify_flushed(std::size_t bytes) {
  std::function<void(std::size_t)> callback;
  {
    const std::lock_guard lock(mutex_);
    unsent_bytes_ -= bytes;
    callback = on_flushed_;
    if (!callback) untold_bytes_ += bytes;
  }
  if (callback) callback(bytes);
}

void Exchange::forget_callbacks() {
  std::function<void()> disconnect;  // destroyed outside of the lock
  std::function<void(std::size_t)> flushed;
  const std::lock_guard lock(mutex_);
  silent_ = true;
  disconnect = std::exchange(on_disconnect_, nullptr);
  flushed = std::exchange(on_flushed_, nullptr);
}

}  // namespace rp::rest
