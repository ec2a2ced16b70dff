#pragma once

#include <functional>
#include <string>
#include <utility>

#include "pipe/core/session.h"

namespace rp::handlers {

/// A call to the other process itself, with an answer that fits into one frame; others fail.
class ControlCall final : public pipe::Caller {
 public:
  /// `head` is null when the call has failed. Runs once, on the session's thread.
  using Done = std::function<void(const pipe::ReplyHead* head, std::string body)>;

  explicit ControlCall(Done done) : done_(std::move(done)) {}

  void reply(pipe::ReplyHead&& head, std::string&& body) override {
    finish(&head, std::move(body));
  }
  void begin(pipe::ReplyHead&&) override { finish(nullptr, "the answer is too long"); }
  void data(std::string) override {}
  void end() override {}
  void fail(pipe::Failure failure) override { finish(nullptr, std::move(failure.detail)); }

 private:
  void finish(const pipe::ReplyHead* head, std::string body) {
    if (const auto done = std::exchange(done_, nullptr)) done(head, std::move(body));
  }

  Done done_;
};

}  // namespace rp::handlers
