#pragma once

#include <memory>
#include <utility>

namespace rp::pipe {

/// A unit of work that runs once; unlike std::function it may own what cannot be copied.
class Task {
 public:
  template <class F>
  Task(F f) : work_(std::make_unique<Work<F>>(std::move(f))) {}  // NOLINT: implicit like a lambda

  void operator()() { work_->run(); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct Work final : Base {
    explicit Work(F f) : function(std::move(f)) {}
    void run() override { function(); }
    F function;
  };

  std::unique_ptr<Base> work_;
};

/// The one thread on which a session and all that belongs to it runs. Outlives them.
class HomeThread {
 public:
  virtual ~HomeThread() = default;

  /// True on that thread.
  virtual bool is_current() const noexcept = 0;
  /// Runs the task there later, in the order of the posts. Safe from any thread. After the thread
  /// has stopped, tasks are destroyed without being run.
  virtual void post(Task task) = 0;
};

}  // namespace rp::pipe
