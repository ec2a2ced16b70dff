#pragma once

#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

namespace rp::handlers {

/// The threads that exec, files and proxy share: one on which their calls live, and a few for what
/// may wait for a disk. They outlive every call that uses them.
class Threads final {
 public:
  Threads();
  ~Threads();  // stop()
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  boost::asio::io_context& context() noexcept { return context_; }

  /// Runs `work` where it may block, then `done(its result)` on the I/O thread. Neither may throw.
  /// After stop() the result is destroyed instead.
  template <class Work, class Done>
  void off_thread(Work work, Done done) {
    boost::asio::post(disk_, [this, work = std::move(work), done = std::move(done)]() mutable {
      boost::asio::post(context_, [result = work(), done = std::move(done)]() mutable {
        done(std::move(result));
      });
    });
  }

  /// Ends all threads; what has not run by then never runs. Idempotent.
  void stop();

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread io_;
  boost::asio::thread_pool disk_;
};

}  // namespace rp::handlers
