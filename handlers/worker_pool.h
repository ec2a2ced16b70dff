#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace rp::handlers {

/// Threads for handlers that wait or compute, behind a queue with a bound.
class WorkerPool final {
 public:
  /// Starts `threads` (at least 1) threads. Throws std::system_error when it cannot.
  WorkerPool(std::size_t threads, std::size_t queued_max);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool();  // stop(0 s)

  /// Runs `task` on one of the threads; it must not throw. False when the queue is full or the
  /// pool has been stopped: the task will not run.
  bool try_post(std::function<void()> task);

  /// Drops the tasks that wait, lets the running ones finish for up to `patience`, and abandons
  /// threads that are still busy then. Returns how many were; further calls return the same number.
  std::size_t stop(std::chrono::milliseconds patience);

 private:
  struct State;  // shared with the threads, since an abandoned one outlives the pool
  static void work(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
  std::vector<std::thread> threads_;
};

}  // namespace rp::handlers
