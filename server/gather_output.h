#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "pipe/event.h"

namespace rp::server {

/// Carries one answer to its sink while many threads add to it: keeps the order, one call of the
/// sink at a time, and a stream's window.
///
///   output.push("line\n");   // any thread, a lock may be held
///   output.run();            // any thread, without a lock: the sink may call back
class GatherOutput {
 public:
  explicit GatherOutput(std::shared_ptr<pipe::ReplySink> sink) : sink_(std::move(sink)) {}

  /// The answer as a stream: head, pieces, end. What is pushed waits for run().
  void begin(pipe::ReplyHead&& head);
  void push(std::string_view text);
  void end();
  /// Or as a whole, or as a failure; the failure also ends a stream.
  void reply(pipe::ReplyHead&& head, std::string&& body);
  void fail(pipe::Failure failure);

  /// The caller took `bytes` of the stream.
  void consumed(std::size_t bytes);
  /// The caller has left: nothing more is said.
  void stop();

  /// Tells the sink what it may be told now.
  void run();

 private:
  bool step(std::unique_lock<std::mutex>& lock);

  const std::shared_ptr<pipe::ReplySink> sink_;
  std::mutex mutex_;      // guards the rest
  bool running_ = false;  // some thread is inside the sink and comes back for more
  bool over_ = false;
  std::optional<pipe::ReplyHead> head_;  // of a stream or of the whole answer, until it is said
  std::optional<std::string> whole_;
  std::optional<pipe::Failure> failure_;
  std::deque<std::string> waiting_;  // pieces of the stream that the sink has not seen
  bool ended_ = false;               // nothing follows `waiting_`
  std::size_t unconsumed_ = 0;       // bytes of the stream in the caller's hands
};

}  // namespace rp::server
