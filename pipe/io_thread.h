#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "pipe/core/task.h"
#include "pipe/wake_batch.h"

namespace rp::pipe {

/// One I/O thread: sessions are born, live and die on it, so nothing that they own needs a lock.
///
/// Threads meet it only through post(). What many threads post meanwhile is run in one go, after a
/// single wake-up.
class IoThread final : public HomeThread, private Sleeper {
 public:
  IoThread();
  /// stop(), then destroys what is left, suspended coroutines included.
  ~IoThread() override;
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  void start();
  /// Ends the loop and waits for the thread. Idempotent; not to be called on the thread itself.
  void stop();

  /// False before start() and after stop(); for whoever calls those. What is posted then does not
  /// run, and nobody else is on the context.
  bool is_running() const noexcept { return thread_.joinable(); }

  boost::asio::io_context& context() noexcept { return context_; }

  bool is_current() const noexcept override;
  void post(Task task) override;

  /// Made and destroyed on the thread, for whatever the loop does in one go. At the end of the
  /// outermost one, and so before the loop looks for input again, runs what run_soon() was given
  /// meanwhile. So the frames and the answers of many calls leave together.
  class Turn {
   public:
    explicit Turn(IoThread& thread);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    IoThread& thread_;
    const bool outermost_;
  };
  /// On this thread only: runs `task` at the end of the turn, or else when whatever runs now is
  /// done.
  void run_soon(Task task);

  /// Buffers that every link of this thread uses in turn, never across a suspension: idle links
  /// hold no memory of their own for I/O.
  struct Scratch {
    std::string cipher_in;   ///< what a socket gave; fixed size
    std::string plain_in;    ///< decrypted; fixed size
    std::string plain_out;   ///< frames to encrypt
    std::string cipher_out;  ///< records to send
  };
  Scratch& scratch() noexcept { return scratch_; }

 private:
  void wake_for_work() override;
  void wake();
  void run_posted();
  void end_turn();

  Scratch scratch_;
  // Owns nothing: this outlives the threads that post to it.
  const std::shared_ptr<Sleeper> sleeper_{std::shared_ptr<Sleeper>(), this};

  std::mutex mutex_;          // guards the three below
  std::vector<Task> posted_;  // waits for the loop
  bool woken_ = false;        // run_posted() is on its way
  bool stopped_ = false;
  // Used on the thread only; the vectors are kept for their memory.
  std::vector<Task> running_;
  std::vector<Task> soon_;  // for the end of the turn
  bool in_turn_ = false;

  // Below what suspended coroutines may still use while the context destroys them.
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace rp::pipe
