#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace rp::pipe {

/// A unit of work that runs once; unlike std::function it may own what cannot be copied.
class Task {
 public:
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, Task>)
      Task(F&& f)  // NOLINT: implicit like a lambda
      : work_(std::make_unique<Work<std::remove_cvref_t<F>>>(std::forward<F>(f))) {}

  void operator()() { work_->run(); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct Work final : Base {
    template <class G>
    explicit Work(G&& f) : function(std::forward<G>(f)) {}
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
