#include "handlers/worker_pool.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace rp::handlers {

struct WorkerPool::State {
  explicit State(std::size_t limit) : queued_max(limit) {}

  const std::size_t queued_max;
  std::mutex mutex;
  std::condition_variable task_or_stop;
  std::condition_variable thread_left;
  std::deque<std::function<void()>> queue;  // at most queued_max
  std::size_t idle = 0;                     // threads that wait for a task
  std::size_t alive = 0;                    // threads that have not left work()
  std::size_t abandoned = 0;
  bool stopping = false;
};

WorkerPool::WorkerPool(std::size_t threads, std::size_t queued_max)
    : state_(std::make_shared<State>(queued_max)) {
  try {
    for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i) {
      threads_.emplace_back([state = state_] { work(state); });
      const std::lock_guard lock(state_->mutex);
      ++state_->alive;
    }
  } catch (...) {
    stop(std::chrono::seconds(1));  // the threads that did start have nothing to do
    throw;
  }
}

WorkerPool::~WorkerPool() { stop({}); }

bool WorkerPool::try_post(std::function<void()> task) {
  {
    const std::lock_guard lock(state_->mutex);
    // A task that an idle thread is about to fetch does not wait, and does not count.
    if (state_->stopping || state_->queue.size() >= state_->queued_max + state_->idle) return false;
    state_->queue.push_back(std::move(task));
  }
  state_->task_or_stop.notify_one();
  return true;
}

std::size_t WorkerPool::stop(std::chrono::milliseconds patience) {
  std::unique_lock lock(state_->mutex);
  if (state_->stopping) return state_->abandoned;
  state_->stopping = true;
  auto dropped = std::exchange(state_->queue, {});
  lock.unlock();
  state_->task_or_stop.notify_all();
  dropped.clear();  // without the lock: tasks own much
  lock.lock();
  // Threads that are idle leave at once; waiting for them takes no patience worth counting.
  const auto grace = std::max(patience, std::chrono::milliseconds(100));
  state_->thread_left.wait_for(lock, grace, [this] { return state_->alive == 0; });
  state_->abandoned = state_->alive;
  lock.unlock();

  for (auto& thread : threads_) {
    if (state_->abandoned == 0) {
      thread.join();
    } else {
      thread.detach();
    }
  }
  threads_.clear();
  return state_->abandoned;
}

void WorkerPool::work(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  for (;;) {
    ++state->idle;
    state->task_or_stop.wait(lock, [&] { return state->stopping || !state->queue.empty(); });
    --state->idle;
    if (state->stopping) break;
    auto task = std::move(state->queue.front());
    state->queue.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it owns goes without the lock
    lock.lock();
  }
  --state->alive;
  state->thread_left.notify_all();
}

}  // namespace rp::handlers
