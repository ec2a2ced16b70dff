#include <thread>

#include <gtest/gtest.h>

#include "handlers/linger/linger_target.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers::linger {
namespace {

using namespace std::chrono_literals;

class LingerCallTest : public ::testing::Test {
 protected:
  std::string header(const Asked& asked, const std::string& name) const {
    for (const auto& header : asked->head().headers) {
      if (header.name == name) return header.value;
    }
    return "absent";
  }
  Asked asked(const std::string& verb, const std::string& noun, const std::string& query = {},
              const std::string& body = {}, pipe::Headers headers = {}) {
    auto event = make_event(verb, noun);
    event.query = query;
    event.headers = std::move(headers);
    return ask(target_, std::move(event), body);
  }
  /// The status of the answer, 0 where there is none.
  int status(const Asked& asked) const {
    return asked->wait_done() ? asked->head().http_status : 0;
  }
  std::string stats() {
    const auto answer = asked("get", "channels/t/stats");
    return status(answer) == 200 ? answer->body() : "";
  }
  /// Until the engine has taken in all that it was given before.
  void settle() { stats(); }

  queue::SystemClock clock_;
  std::unique_ptr<queue::Engine> engine_ =
      std::move(*queue::Engine::open_in_memory({.body_bytes_max = 256'000}, clock_));
  LingerTarget target_{*engine_, {.body_bytes_max = 300'000, .gathered_bytes_max = 400'000}};
};

TEST_F(LingerCallTest, ArgumentsAreAPathToo) {
  EXPECT_EQ(status(asked("post", "channels//t", "", "one")), 202);
  const auto taken = asked("get", "channels/t", "nowait");
  EXPECT_EQ(status(taken), 200);
  EXPECT_EQ(taken->body(), "one");
  EXPECT_EQ(status(asked("post", "messages//1/touch")), 204);
  EXPECT_EQ(status(asked("get", "channels//t//stats")), 404);
  EXPECT_EQ(status(asked("get", "channels///t", "nowait")), 404);
}

TEST_F(LingerCallTest, AnEncodedSlashBelongsToTheName) {
  const pipe::Headers written = {{"x-event-noun", "channels/a%2Fb"}};
  EXPECT_EQ(status(asked("post", "channels/a/b", "", "x", written)), 202);
  const auto taken = asked("get", "channels/a/b", "nowait", "", written);
  EXPECT_EQ(status(taken), 200);
  EXPECT_EQ(header(taken, "x-linger-channel"), "a/b");
}

TEST_F(LingerCallTest, WhatWasWrittenCountsOnlyIfItIsTheNoun) {
  const pipe::Headers written = {{"x-event-noun", "channels/secret%2Fx"}};
  EXPECT_EQ(status(asked("post", "channels/public", "", "x", written)), 400);
  const auto channels = asked("get", "channels");
  EXPECT_EQ(status(channels), 200);
  EXPECT_EQ(channels->body(), R"({"channels": []})");
}

TEST_F(LingerCallTest, HeadTakesNothing) {
  status(asked("post", "channels/t", "", "x"));
  EXPECT_EQ(status(asked("get", "channels/t", "", "", {{"x-event-method", "HEAD"}})), 405);
  EXPECT_EQ(stats(), R"({"ready": 1, "hidden": 0})");
}

TEST_F(LingerCallTest, ABodyThatFollowsIsGathered) {
  auto event = make_event("post", "channels/t");
  event.body_follows = true;
  const auto put = ask(target_, std::move(event));
  put.control->body_data("one ");
  put.control->body_data("message");
  EXPECT_TRUE(put->wait_body_consumed(11));
  EXPECT_FALSE(put->done());
  put.control->body_end();
  EXPECT_EQ(status(put), 202);
  const auto taken = asked("get", "channels/t", "nowait");
  EXPECT_EQ(status(taken), 200);
  EXPECT_EQ(taken->body(), "one message");
}

TEST_F(LingerCallTest, BodiesThatFollowAreBounded) {
  const auto begin = [this] {
    auto event = make_event("post", "channels/t");
    event.body_follows = true;
    return ask(target_, std::move(event));
  };
  auto first = begin();
  first.control->body_data(std::string(300'001, 'x'));
  EXPECT_EQ(first->error(), pipe::Errc::body_too_large);
  first.control->body_end();
  auto second = begin();
  second.control->body_data(std::string(300'000, 'x'));
  EXPECT_FALSE(second->done());
  auto third = begin();
  third.control->body_data(std::string(200'000, 'x'));
  EXPECT_EQ(third->error(), pipe::Errc::overloaded);
  second.control->cancel();
  second.control.reset();
  auto fourth = begin();
  fourth.control->body_data(std::string(200'000, 'x'));
  fourth.control->body_end();
  EXPECT_EQ(status(fourth), 202) << "the budget is given back";
}

TEST_F(LingerCallTest, AWaiterThatLeftGetsNothing) {
  auto waiting = asked("get", "channels/t");
  settle();
  waiting.control->cancel();
  status(asked("post", "channels/t", "", "x"));
  const auto taken = asked("get", "channels/t", "nowait");
  EXPECT_EQ(status(taken), 200);
  EXPECT_EQ(header(taken, "x-linger-delivered"), "1");
  EXPECT_FALSE(waiting->done());
}

TEST_F(LingerCallTest, MessagesAndLeavingWaitersMeetInEveryOrder) {
  constexpr int kRounds = 300;
  int answered = 0;
  for (int i = 0; i < kRounds; ++i) {
    auto waiting = asked("get", "channels/t", "lease");
    std::thread putting([&] { status(asked("post", "channels/t", "timeout=60", "x")); });
    waiting.control->cancel();
    putting.join();
    settle();
    settle();  // what was given back is ready after one more operation
    if (!waiting->done()) continue;
    ++answered;
    EXPECT_EQ(status(asked("delete", "messages/" + header(waiting, "x-linger-msg-id"))), 204);
  }
  const auto left = kRounds - answered;
  EXPECT_EQ(stats(), "{\"ready\": " + std::to_string(left) + ", \"hidden\": 0}");
  for (int i = 0; i < left; ++i) {
    const auto taken = asked("get", "channels/t", "nowait");
    ASSERT_EQ(status(taken), 200);
    EXPECT_EQ(header(taken, "x-linger-delivered"), "1") << "what nobody got does not count";
  }
}

TEST_F(LingerCallTest, WaitsEndWhenTheNodeLeaves) {
  const auto waiting = asked("get", "channels/t");
  settle();
  target_.end_waits();
  EXPECT_EQ(status(waiting), 204);
  EXPECT_EQ(header(waiting, "x-linger-channel"), "t");
  EXPECT_EQ(status(asked("get", "channels/t")), 204) << "nobody waits any more";
}

TEST_F(LingerCallTest, AClosedEngineIs503) {
  auto waiting = asked("get", "channels/t");
  settle();
  engine_->close();
  EXPECT_EQ(status(waiting), 503);
  EXPECT_EQ(status(asked("post", "channels/t", "", "x")), 503);
  EXPECT_EQ(status(asked("post", "messages/ack", "", "[1, \"1-0000000000000001\"]")), 503);
}

TEST_F(LingerCallTest, ADeadlineEndsTheWaitBefore) {
  auto event = make_event("get", "channels/t");
  event.deadline = pipe::Clock::now() + 300ms;
  const auto waiting = ask(target_, std::move(event));
  EXPECT_EQ(status(waiting), 204);
}

}  // namespace
}  // namespace rp::handlers::linger
