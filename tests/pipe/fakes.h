#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipe/core/outgoing_calls.h"
#include "pipe/core/task.h"
#include "pipe/event.h"

/// Callers and handlers for the suites of the pipe: they record what they are told.
namespace rp::pipe::test {

/// A home thread that the test plays itself.
class FakeHome final : public HomeThread {
 public:
  bool is_current() const noexcept override { return !away_; }
  void post(Task task) override { posted_.push_back(std::move(task)); }

  /// While away, answers are given as if from another thread: they arrive with run_posted().
  void set_away(bool away) { away_ = away; }
  /// False if there was nothing to run.
  bool run_posted();

 private:
  bool away_ = false;
  std::deque<Task> posted_;
};

/// Records an answer and checks that it comes in one of the orders that ReplySink allows.
class RecordingSink final : public Caller {
 public:
  void reply(ReplyHead&& h, std::string&& b) override;
  void begin(ReplyHead&& h) override;
  void data(std::string piece) override;
  void end() override;
  void fail(Failure f) override;
  void body_consumed(std::size_t bytes) override { body_consumed_bytes += bytes; }
  void not_sent(Event&& e, std::string&& b) override;

  bool begun = false;
  int endings = 0;  ///< 1 once the answer is complete; more is a bug of whoever answers
  std::optional<ReplyHead> head;
  std::string body;
  std::optional<Failure> failure;
  std::size_t body_consumed_bytes = 0;
  std::optional<Event> returned;  ///< by not_sent(), which fails the call with not_sent as well
  std::string returned_body;
  std::function<void(std::size_t bytes)> on_data;  ///< after the piece has been recorded
  std::function<void()> on_ending;

  bool answered() const { return endings == 1 && !failure; }
  Errc failed_with() const { return failure ? failure->code : Errc{}; }

 private:
  void ending();
};

/// What a handler's side of a call is told.
class FakeControl final : public CallControl {
 public:
  void cancel() override { ++cancelled; }
  void consumed(std::size_t bytes) override {
    consumed_bytes += bytes;
    if (on_consumed) on_consumed(bytes);
  }

  void body_data(std::string piece) override;
  void body_end() override;

  int cancelled = 0;
  std::size_t consumed_bytes = 0;
  std::function<void(std::size_t)> on_consumed;

  std::string body;  ///< what came of one that follows
  bool body_ended = false;
  std::function<void(std::size_t)> on_body_data;
  std::function<void()> on_body_end;
};

/// A target that keeps each event for the test to answer, or answers at once with `answer`. A body
/// that follows is gathered first, unless the test wants it as it comes.
class FakeTarget final : public EventTarget {
 public:
  struct Received {
    Event event;
    std::string body;
    Origin origin;
    std::shared_ptr<ReplySink> sink;
    std::shared_ptr<FakeControl> control;
  };

  std::shared_ptr<CallControl> submit(Event&& event, std::string&& body, const Origin& origin,
                                      std::shared_ptr<ReplySink>&& sink) override;

  bool gathers = true;
  std::vector<Received> received;
  std::function<void(Received&)> answer;

 private:
  void deliver(Received call);
};

Event event(std::string noun = "time");

/// What a received CALL head says.
Result<Event> decoded_call(std::string_view head, Clock::time_point now);

}  // namespace rp::pipe::test
