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

TEST_F(LingerCallTest, ALongBodyIsReadOnAThreadOfItsOwn) {
  const pipe::Headers form = {{"content-type", "application/x-www-form-urlencoded"}};
  const auto put = [&](std::size_t bytes) {
    return asked("post", "channels/t", "", "msg=" + std::string(bytes, 'x'), form);
  };
  const auto too_long = put(2'000'000);
  EXPECT_EQ(status(too_long), 400);
  EXPECT_NE(too_long->body().find("2000000 bytes"), std::string::npos) << too_long->body();
  EXPECT_EQ(status(put(256'000)), 202);

  target_.close();
  EXPECT_EQ(put(2'000'000)->error(), pipe::Errc::overloaded) << "that thread has ended";
  EXPECT_EQ(status(put(256'000)), 202);
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

TEST_F(LingerCallTest, RequestsBeyondLingersRefuseParametersThatTheyDoNotHave) {
  const std::pair<const char*, const char*> rows[] = {
      {"get channels/t/batch", "limit"},    {"get channels/t/messages", "count"},
      {"post channels/t/batch", "timeout"}, {"post channels/t/pause", "for"},
      {"post channels/t/redrive", "count"}, {"put channels/t/settings", "hml"},
      {"get channels/t/settings", "x"},     {"post messages/1/nack", "dealy"},
      {"post messages/ack", "lease"}};
  for (const auto& [request, name] : rows) {
    SCOPED_TRACE(request);
    const std::string_view text(request);
    const auto blank = text.find(' ');
    const auto refused =
        asked(std::string(text.substr(0, blank)), std::string(text.substr(blank + 1)),
              std::string(name) + "=1", "[1]");
    EXPECT_EQ(status(refused), 400);
    const auto reason = "Unknown parameter " + std::string(name) + ", accepted";
    EXPECT_EQ(header(refused, "x-event-reason").substr(0, reason.size()), reason);
  }
  EXPECT_EQ(status(asked("get", "channels/t", "nowait&hlm=1&foo=1")), 204) << "Linger's do not";
}

TEST_F(LingerCallTest, SettingsComeAsJsonToo) {
  const pipe::Headers json = {{"content-type", "application/json; charset=utf-8"}};
  const auto path = "channels/t/settings";
  EXPECT_EQ(status(asked("put", path, "", R"({"hlm": 5, "dead": "grave", "linger": 60})", json)),
            204);
  const auto read = asked("get", path);
  EXPECT_EQ(status(read), 200);
  EXPECT_EQ(status(asked("put", path, "", read->body(), json)), 204) << "as they are read";
  for (const char* wrong : {"[]", "5", R"({"hml": 5})", R"({"hlm": -5})", R"({"hlm": null})"}) {
    EXPECT_EQ(status(asked("put", path, "", wrong, json)), 400) << wrong;
  }
  EXPECT_EQ(status(asked("put", path, "", "hlm=5", {{"content-type", "text/plain"}})), 400);
  const auto again = asked("get", path);
  EXPECT_EQ(status(again), 200);
  EXPECT_EQ(again->body(), read->body()) << "what is refused changes nothing";
}

TEST_F(LingerCallTest, NamesThatNoPathCanHaveAreRefused) {
  EXPECT_EQ(status(asked("post", "channels/t", "dead=a%0Ab", "x")), 400);
  EXPECT_EQ(status(asked("put", "channels/t/topics/x", "dead=%7F")), 400);
  EXPECT_EQ(status(asked("put", "channels/t/settings", "dead=a%09b")), 400);
  EXPECT_EQ(status(asked("post", "channels/t", "dead=t", "x")), 400);
  EXPECT_EQ(status(asked("post", "channels/t", "dead=%C3%A9", "x")), 202);
  EXPECT_EQ(stats(), R"({"ready": 1, "hidden": 0})");
}

TEST_F(LingerCallTest, AllThatIsKnownOfAChannelIsToldWhenItIsAskedFor) {
  status(asked("post", "channels/t", "", "one"));
  status(asked("post", "channels/t", "delay=60", "two"));
  status(asked("get", "channels/t", "nowait"));
  status(asked("post", "channels/t/pause"));
  const auto all = asked("get", "channels/t/stats", "all");
  EXPECT_EQ(status(all), 200);
  EXPECT_EQ(all->body(),
            R"({"ready": 0, "hidden": 2, "leased": 1, "delayed": 1, "bytes": 6, "waiters": 0, )"
            R"("paused": true})");
}

TEST_F(LingerCallTest, ABatchWithoutRoomIsToldHowMuchThereIs) {
  status(asked("put", "channels/t/settings", "hlm=2"));
  status(asked("post", "channels/t", "", "x"));
  const auto batch = asked("post", "channels/t/batch", "", R"(["a", "b"])");
  EXPECT_EQ(status(batch), 507);
  EXPECT_EQ(header(batch, "x-event-reason"), "Channel t holds 1 of at most 2 messages");
  EXPECT_EQ(status(asked("post", "channels/t", "", "x")), 202);
  const auto one = asked("post", "channels/t", "", "x");
  EXPECT_EQ(status(one), 507);
  EXPECT_EQ(header(one, "x-event-reason"), "Channel t is at the high-level mark with 2 messages");
}

}  // namespace
}  // namespace rp::handlers::linger
