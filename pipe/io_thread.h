#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "pipe/core/task.h"

namespace rp::pipe {

/// One I/O thread: sessions are born, live and die on it, so nothing that they own needs a lock.
///
/// Threads meet it only through post(). What many threads post meanwhile is run in one go, after a
/// single wake-up.
class IoThread final : public HomeThread {
 public:
  IoThread();
  /// stop(), then destroys what is left, suspended coroutines included.
  ~IoThread() override;
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  void start();
  /// Ends the loop and waits for the thread. Idempotent; not to be called on the thread itself.
  void stop();

  boost::asio::io_context& context() noexcept { return context_; }

  bool is_current() const noexcept override;
  void post(Task task) override;

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
  void run_posted();

  Scratch scratch_;

  std::mutex mutex_;          // guards the three below
  std::vector<Task> posted_;  // waits for the loop
  bool woken_ = false;        // run_posted() is on its way
  bool stopped_ = false;
  std::vector<Task> running_;  // used on the thread only; kept for its memory

  // Below what suspended coroutines may still use while the context destroys them.
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace rp::pipe
