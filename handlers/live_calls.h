#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <boost/intrusive/set.hpp>

#include "pipe/error.h"
#include "pipe/event.h"

namespace rp::handlers {

/// A call as LiveCalls sees it. Held by shared_ptr.
class LiveCall : public boost::intrusive::set_base_hook<>,
                 public std::enable_shared_from_this<LiveCall> {
 public:
  explicit LiveCall(pipe::Clock::time_point deadline) noexcept : deadline_(deadline) {}
  virtual ~LiveCall() = default;

  /// Ends the call with `failure` if it has no answer yet.
  virtual void abort(pipe::Failure failure) = 0;

  /// A sentence for the caller whose call was not good any more: who ran out of time.
  virtual std::string who_is_late() const = 0;

  /// The handler has begun, so it may have done something.
  virtual bool has_begun() const { return false; }

  /// Until when the call may go on if nothing more happens. Reads atomics only: it is called under
  /// the lock of LiveCalls.
  virtual pipe::Clock::time_point good_until(pipe::Clock::time_point /*now*/) const noexcept {
    return deadline_;
  }

  pipe::Clock::time_point deadline() const noexcept { return deadline_; }

 private:
  friend class LiveCalls;

  const pipe::Clock::time_point deadline_;                              // max: none
  pipe::Clock::time_point looked_at_ = pipe::Clock::time_point::max();  // by LiveCalls, then
};

/// The calls in flight, in the order in which they come due, and the thread that ends those whose
/// time has run out. Owns no call: a call takes itself off before it is destroyed.
class LiveCalls final {
 public:
  explicit LiveCalls(std::size_t calls_max) : calls_max_(calls_max) {}
  LiveCalls(const LiveCalls&) = delete;
  LiveCalls& operator=(const LiveCalls&) = delete;
  ~LiveCalls();

  enum class Added { yes, full, closed };
  Added add(LiveCall& call);
  /// Harmless when the call is not (or no longer) here.
  void remove(LiveCall& call) noexcept;

  std::size_t size() const noexcept;

  /// Aborts, with deadline_exceeded, every call that is good until `now` at most.
  void expire(pipe::Clock::time_point now);

  /// Starts the thread that calls expire() whenever a deadline passes.
  void start();
  void stop();

  /// Takes no further calls; then waits until none is left, at most until `until`.
  void drain(pipe::Clock::time_point until);
  /// Aborts all that are left.
  void abort_all(const pipe::Failure& failure);

 private:
  struct ByTime {
    bool operator()(const LiveCall& a, const LiveCall& b) const noexcept {
      return a.looked_at_ < b.looked_at_;
    }
  };
  using Set = boost::intrusive::multiset<LiveCall, boost::intrusive::compare<ByTime>>;

  void watch();
  /// Takes the first call off and keeps it alive; null when it is being destroyed already.
  std::shared_ptr<LiveCall> take_first();

  const std::size_t calls_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // an earlier deadline, the last call left, or stop
  Set calls_;
  pipe::Clock::time_point wakes_at_ = pipe::Clock::time_point::min();  // what watch() sleeps until
  bool closed_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace rp::handlers
