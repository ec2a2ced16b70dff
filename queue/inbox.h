#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "queue/error.h"
#include "queue/message.h"
#include "queue/waiting.h"

namespace rp::queue {

class Core;

/// One operation on its way through the engine's thread.
class Operation {
 public:
  Operation(bool changes, std::size_t bytes) : changes_(changes), bytes_(bytes) {}
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  /// Decides, and keeps the result. Again, from the same arguments, if the group had to be undone.
  virtual void decide(Core& core) = 0;
  /// Completes with the result, or leaves that to the waiter that the operation has become.
  virtual void report() = 0;
  /// Completes with an error instead.
  virtual void fail(const Error& error) = 0;

  bool changes() const { return changes_; }  ///< more than questions
  std::size_t bytes() const { return bytes_; }

 private:
  const bool changes_;
  const std::size_t bytes_;  // of bodies, ids and leases
};

/// What other threads hand to the engine's thread.
class Inbox {
 public:
  Inbox(std::size_t operations_max, std::size_t bytes_max)
      : operations_max_(operations_max), bytes_max_(bytes_max) {}

  /// Takes the operation, or says why not (`closed`, `overloaded`) and leaves it with the caller.
  std::optional<Error> push(std::unique_ptr<Operation>& operation);
  void push_cancelled(std::shared_ptr<Waiting> waiting);
  void wake();
  void close();

  struct Taken {
    std::vector<std::unique_ptr<Operation>> operations;
    std::vector<std::shared_ptr<Waiting>> cancelled;
    bool closing = false;  // nothing will come any more
  };
  /// Waits until there is something, somebody calls wake(), or the time is up. With `closing`
  /// everything is handed over, else a group at most.
  Taken take(Milliseconds wait_max);

 private:
  const std::size_t operations_max_;
  const std::size_t bytes_max_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<std::unique_ptr<Operation>> operations_;  // at most operations_max_
  std::size_t bytes_ = 0;                              // at most bytes_max_ and one operation
  // At most one for each waiter and each take() among the operations.
  std::vector<std::shared_ptr<Waiting>> cancelled_;
  bool woken_ = false;
  bool closing_ = false;
};

}  // namespace rp::queue
