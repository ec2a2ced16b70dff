#include "tests/pipe/fakes.h"

#include <utility>

#include <gtest/gtest.h>

#include "pipe/core/head.h"

namespace rp::pipe::test {

bool FakeHome::run_posted() {
  if (posted_.empty()) return false;
  for (Task& task : std::exchange(posted_, {})) task();
  return true;
}

void RecordingSink::reply(ReplyHead&& h, std::string&& b) {
  EXPECT_FALSE(begun) << "reply() after begin()";
  head = std::move(h);
  body = std::move(b);
  ending();
}

void RecordingSink::begin(ReplyHead&& h) {
  EXPECT_FALSE(begun) << "begin() twice";
  EXPECT_EQ(endings, 0);
  begun = true;
  head = std::move(h);
}

void RecordingSink::data(std::string piece) {
  EXPECT_TRUE(begun) << "data() before begin()";
  EXPECT_EQ(endings, 0);
  body += piece;
  if (on_data) on_data(piece.size());
}

void RecordingSink::end() {
  EXPECT_TRUE(begun) << "end() before begin()";
  ending();
}

void RecordingSink::fail(Failure f) {
  failure = std::move(f);
  ending();
}

void RecordingSink::ending() {
  ++endings;
  EXPECT_EQ(endings, 1) << "the answer was completed twice";
  if (on_ending) on_ending();
}

void RecordingSink::not_sent(Event&& e, std::string&& b) {
  returned = std::move(e);
  returned_body = std::move(b);
  Caller::not_sent({}, {});
}

void FakeControl::body_data(std::string piece) {
  EXPECT_FALSE(body_ended) << "body_data() after body_end()";
  EXPECT_FALSE(piece.empty());
  body += piece;
  if (on_body_data) on_body_data(piece.size());
}

void FakeControl::body_end() {
  EXPECT_FALSE(body_ended) << "body_end() twice";
  body_ended = true;
  if (on_body_end) std::exchange(on_body_end, nullptr)();
}

std::shared_ptr<CallControl> FakeTarget::submit(Event&& e, std::string&& body, const Origin& origin,
                                                std::shared_ptr<ReplySink>&& sink) {
  Received call{std::move(e), std::move(body), std::move(origin), std::move(sink),
                std::make_shared<FakeControl>()};
  const auto control = call.control;
  if (!call.event.body_follows || !gathers) {
    deliver(std::move(call));
    return control;
  }
  control->on_body_data = [sink = call.sink](std::size_t bytes) { sink->body_consumed(bytes); };
  call.control.reset();  // a control must not hold itself through what it is to do in the end
  control->on_body_end = [this, weak = std::weak_ptr(control), call = std::move(call)]() mutable {
    call.control = weak.lock();
    call.body = std::move(call.control->body);
    deliver(std::move(call));
  };
  return control;
}

void FakeTarget::deliver(Received call) {
  if (answer) return answer(call);
  received.push_back(std::move(call));
}

Result<Event> decoded_call(std::string_view head, Clock::time_point now) {
  Event event;
  const error_code ec = decode_call(head, now, event);
  return ec ? Result<Event>(ec) : Result<Event>(std::move(event));
}

Event event(std::string noun) {
  Event e;
  e.verb = "get";
  e.noun = std::move(noun);
  e.request_id = "test";
  return e;
}

}  // namespace rp::pipe::test
