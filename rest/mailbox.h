#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pipe/wake_batch.h"
#include "rest/request.h"

namespace rp::rest {

class Exchange;

/// A freshly accepted connection on its way to a transport thread.
struct Arrival {
  int fd = -1;
  Remote remote;
  std::string local_address;  ///< textual IP address that the client connected to; "" for Unix
};

/// What other threads hand to one transport thread: answers that are ready, exchanges dropped
/// without one, new connections and tasks. Many posts cost one wake-up.
///
/// Outlives its transport when exchanges do; closed, it drops what is posted.
class Mailbox final : public pipe::Sleeper, public std::enable_shared_from_this<Mailbox> {
 public:
  explicit Mailbox(std::size_t stream_bytes_max);
  ~Mailbox() override;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// An eventfd, to be polled edge-triggered: it is written, never read.
  int wake_fd() const { return wake_fd_; }
  std::size_t stream_bytes_max() const { return stream_bytes_max_; }

  /// From any thread. On the owner's own thread a ready exchange skips lock and wake-up: the owner
  /// looks at its list after every step.
  void ready(std::shared_ptr<Exchange> exchange);
  void orphan(int fd, std::uint64_t connection_id);
  /// False when closed; the descriptor is then still the caller's.
  bool arrival(Arrival arrival);
  /// False when closed; the task will then never run.
  bool task(std::function<void()> task);

  // For the owner's thread.
  struct Orphan {
    int fd;
    std::uint64_t connection_id;
  };
  struct Batch {
    std::vector<std::shared_ptr<Exchange>> ready;
    std::vector<Orphan> orphans;
    std::vector<Arrival> arrivals;
    std::vector<std::function<void()>> tasks;

    bool empty() const {
      return ready.empty() && orphans.empty() && arrivals.empty() && tasks.empty();
    }
  };
  /// Declares the calling thread the owner's.
  void adopt_thread();
  /// Swaps everything posted into `batch`, which must be empty.
  void take(Batch& batch);
  /// Takes the exchanges that became ready on the owner's thread.
  std::vector<std::shared_ptr<Exchange>>& local_ready() { return local_ready_; }
  void wake() const;
  void close();

 private:
  void wake_for_work() override;
  template <class Push>
  bool post(Push push);

  const std::size_t stream_bytes_max_;
  int wake_fd_;
  std::vector<std::shared_ptr<Exchange>> local_ready_;  ///< touched by the owner's thread only

  std::mutex mutex_;  ///< guards everything below
  Batch posted_;
  bool woken_ = false;  ///< take() is on its way
  bool closed_ = false;
};

}  // namespace rp::rest
