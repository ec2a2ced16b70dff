#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <string>

#include "handlers/callback_slot.h"
#include "pipe/event.h"

namespace rp::handlers {

/// What a call knows of a request body that comes in pieces: either gathered into one string before
/// the handler begins, or queued here until the handler reads it.
///
/// Guarded by the call's mutex, except good_until(), `arrived` and `readable`.
class ArrivingBody final {
 public:
  enum class Use { gather, read };

  /// `whole`: nothing follows, and the queue begins with all there is.
  ArrivingBody(Use use, std::chrono::milliseconds timeout, std::string whole, bool follows)
      : gathers(use == Use::gather),
        follows_(follows),
        timeout_(timeout),
        ended_(!follows),
        open_(follows) {
    if (!whole.empty()) push(std::move(whole));
    wait_for_more();
  }

  /// A piece joins the queue. The caller keeps to the window, so this is bounded by it.
  void push(std::string piece);
  /// Copies up to `size` bytes out of the queue. `freed`: of pieces that are now out of it.
  std::size_t take(char* to, std::size_t size, std::size_t& freed);
  /// The last piece was there; or the caller left, and there will be no last piece.
  void end() noexcept;
  void break_off() noexcept;

  /// The sender owes the next bytes, from now on.
  void wait_for_more() noexcept;

  /// When the sender will have been silent for too long; max when it owes nothing. While the
  /// handler still has something to read, somebody has to look again after the timeout.
  pipe::Clock::time_point good_until(pipe::Clock::time_point now) const noexcept;

  std::chrono::milliseconds timeout() const noexcept { return timeout_; }
  bool is_open() const noexcept { return open_.load(std::memory_order_relaxed); }
  bool ended() const noexcept { return ended_; }
  bool broken() const noexcept { return broken_; }
  bool follows() const noexcept { return follows_; }
  std::size_t unread_bytes() const noexcept { return unread_bytes_; }

  const bool gathers;
  std::condition_variable arrived;  // a piece, the end, or the call is done
  CallbackSlot readable;

 private:
  const bool follows_;
  const std::chrono::milliseconds timeout_;
  std::deque<std::string> pieces_;
  std::size_t first_read_ = 0;    // bytes of the first piece that have been read
  std::size_t unread_bytes_ = 0;  // held in pieces_, whole pieces counted
  bool ended_;
  bool broken_ = false;

  std::atomic<bool> open_;  // more is to come
  std::atomic<pipe::Clock::time_point> due_{pipe::Clock::time_point::max()};
};

}  // namespace rp::handlers
