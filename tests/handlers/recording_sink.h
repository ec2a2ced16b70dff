#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "pipe/event.h"
#include "tests/wait.h"

namespace rp::handlers {

/// A sink that remembers what it was told, and checks that it is told in a legal order.
class RecordingSink final : public pipe::ReplySink {
 public:
  void reply(pipe::ReplyHead&& head, std::string&& body) override {
    record([&] {
      EXPECT_TRUE(!begun_ && !done_) << "reply() after another answer";
      head_ = std::move(head);
      body_ = std::move(body);
      done_ = true;
    });
  }
  void begin(pipe::ReplyHead&& head) override {
    record([&] {
      EXPECT_TRUE(!begun_ && !done_) << "begin() after another answer";
      head_ = std::move(head);
      begun_ = true;
    });
  }
  void data(std::string piece) override {
    record([&] {
      EXPECT_TRUE(begun_ && !done_) << "data() outside a stream";
      body_.append(piece);
      ++pieces_;
    });
  }
  void end() override {
    record([&] {
      EXPECT_TRUE(begun_ && !done_) << "end() outside a stream";
      done_ = true;
    });
  }
  void fail(pipe::Failure failure) override {
    record([&] {
      EXPECT_FALSE(done_) << "fail() after the answer was complete";
      failure_ = std::move(failure);
      done_ = true;
    });
  }

  void body_consumed(std::size_t bytes) override {
    record([&] { body_consumed_ += bytes; });
  }

  /// Waits for a condition on the fields below; false when patience runs out.
  bool wait(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, condition);
  }
  bool wait_done() {
    return wait([this] { return done_; });
  }
  bool wait_bytes(std::size_t bytes) {
    return wait([this, bytes] { return body_.size() >= bytes; });
  }
  bool wait_body_consumed(std::size_t bytes) {
    return wait([this, bytes] { return body_consumed_ >= bytes; });
  }

  std::size_t body_consumed_bytes() const { return locked(body_consumed_); }
  bool done() const { return locked(done_); }
  bool begun() const { return locked(begun_); }
  std::string body() const { return locked(body_); }
  pipe::ReplyHead head() const { return locked(head_); }
  std::size_t pieces() const { return locked(pieces_); }
  std::optional<pipe::Failure> failure() const { return locked(failure_); }
  /// The failure's code; none when there was a reply.
  std::optional<pipe::Errc> error() const {
    const auto failure = this->failure();
    return failure ? std::optional(failure->code) : std::nullopt;
  }

 private:
  template <class Change>
  void record(Change change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    changed_.notify_all();
  }
  template <class T>
  T locked(const T& field) const {
    const std::lock_guard lock(mutex_);
    return field;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool begun_ = false;
  bool done_ = false;
  pipe::ReplyHead head_;
  std::string body_;
  std::size_t pieces_ = 0;
  std::size_t body_consumed_ = 0;
  std::optional<pipe::Failure> failure_;
};

/// One submitted event.
struct Asked {
  std::shared_ptr<RecordingSink> sink;
  std::shared_ptr<pipe::CallControl> control;

  RecordingSink* operator->() const { return sink.get(); }
};

inline pipe::Event make_event(std::string verb, std::string noun) {
  pipe::Event event;
  event.verb = std::move(verb);
  event.noun = std::move(noun);
  event.request_id = "req-1";
  return event;
}

inline Asked ask(pipe::EventTarget& target, pipe::Event event, std::string body = {}) {
  auto sink = std::make_shared<RecordingSink>();
  auto control =
      target.submit(std::move(event), std::move(body), {"alice", "192.0.2.7", 4711}, sink);
  return {std::move(sink), std::move(control)};
}

inline Asked ask(pipe::EventTarget& target, std::string verb, std::string noun) {
  return ask(target, make_event(std::move(verb), std::move(noun)));
}

}  // namespace rp::handlers
