#include "pipe/io_thread.h"

#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "pipe/log.h"

namespace rp::pipe {
namespace {

// Sixteen TLS records: one system call for what a burst brings.
constexpr std::size_t kReadBytes = 256 * 1024;

thread_local const IoThread* current_thread = nullptr;

}  // namespace

IoThread::IoThread() : work_(boost::asio::make_work_guard(context_)) {
  scratch_.cipher_in.resize(kReadBytes);
  scratch_.plain_in.resize(kReadBytes);
}

IoThread::~IoThread() { stop(); }

void IoThread::start() {
  thread_ = std::thread([this] {
    current_thread = this;
    context_.run();
    current_thread = nullptr;
  });
}

void IoThread::stop() {
  std::vector<Task> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(posted_);
  }
  work_.reset();
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

bool IoThread::is_current() const noexcept { return current_thread == this; }

void IoThread::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    posted_.push_back(std::move(task));
    if (woken_) return;
    if (posted_.size() < WakeBatch::kWorthWaking && WakeBatch::defer(sleeper_)) return;
    woken_ = true;
  }
  wake();
}

void IoThread::wake_for_work() {
  {
    const std::lock_guard lock(mutex_);
    if (woken_ || posted_.empty()) return;
    woken_ = true;
  }
  wake();
}

void IoThread::wake() {
  boost::asio::post(context_, [this] { run_posted(); });
}

void IoThread::run_posted() {
  {
    const std::lock_guard lock(mutex_);
    running_.swap(posted_);
    woken_ = false;
  }
  const Turn turn(*this);
  for (Task& task : running_) task();
  running_.clear();
}

IoThread::Turn::Turn(IoThread& thread)
    : thread_(thread), outermost_(!std::exchange(thread.in_turn_, true)) {}

IoThread::Turn::~Turn() {
  if (outermost_) thread_.end_turn();
}

void IoThread::end_turn() {
  // A task may ask for another one.
  for (std::size_t i = 0; i < soon_.size(); ++i) Task(std::move(soon_[i]))();
  soon_.clear();
  in_turn_ = false;
}

void IoThread::run_soon(Task task) {
  if (in_turn_) return soon_.push_back(std::move(task));
  boost::asio::post(context_, std::move(task));
}

}  // namespace rp::pipe
