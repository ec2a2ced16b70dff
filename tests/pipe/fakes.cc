#include "tests/pipe/fakes.h"

#include <gtest/gtest.h>

namespace rp::pipe::test {

bool FakeHome::run_posted() {
  if (posted_.empty()) return false;
  for (Task& task : std::exchange(posted_, {})) task();
  return true;
}

void RecordingSink::reply(ReplyHead h, std::string b) {
  EXPECT_FALSE(begun) << "reply() after begin()";
  head = std::move(h);
  body = std::move(b);
  ending();
}

void RecordingSink::begin(ReplyHead h) {
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

std::shared_ptr<CallControl> FakeTarget::submit(Event e, std::string body, Origin origin,
                                                std::shared_ptr<ReplySink> sink) {
  Received call{std::move(e), std::move(body), std::move(origin), std::move(sink),
                std::make_shared<FakeControl>()};
  const auto control = call.control;
  if (answer) {
    answer(call);
  } else {
    received.push_back(std::move(call));
  }
  return control;
}

Event event(std::string noun) {
  Event e;
  e.verb = "get";
  e.noun = std::move(noun);
  e.request_id = "test";
  return e;
}

}  // namespace rp::pipe::test
