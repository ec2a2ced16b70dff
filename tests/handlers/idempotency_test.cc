#include "handlers/idempotency.h"

#include <deque>
#include <string>

#include <gtest/gtest.h>

#include "handlers/dispatcher.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;
using pipe::Errc;
using Verdict = KeyWindow::Verdict;

Digest digest(std::string_view text) { return body_digest(text); }

class KeyWindowTest : public testing::Test {
 protected:
  KeyWindow::Found look(std::string_view key, std::string_view body = "b") {
    return window_.look("alice", key, digest("head"), digest(body), now_);
  }
  void answer(std::string_view key, std::size_t bytes = 1) {
    const auto found = look(key);
    ASSERT_EQ(found.verdict, Verdict::first) << key;
    window_.finish(found.entry, {{}, std::string(bytes, 'a')}, now_);
  }

  pipe::Clock::time_point now_ = pipe::Clock::now();
  KeyWindow window_{{.age_max = 60s, .bytes_max = 10'000}};
};

TEST_F(KeyWindowTest, TellsRunningAnsweredAndOtherRequestsApart) {
  const auto first = look("k");
  EXPECT_EQ(first.verdict, Verdict::first);
  EXPECT_EQ(look("k").verdict, Verdict::in_use);
  EXPECT_EQ(look("k", "other").verdict, Verdict::other_request);
  window_.finish(first.entry, {{7, "text/plain", {}}, "answer"}, now_);
  const auto again = look("k");
  ASSERT_EQ(again.verdict, Verdict::answered);
  EXPECT_EQ(again.answer->head.code, 7U);
  EXPECT_EQ(again.answer->body, "answer");
  EXPECT_EQ(look("k", "other").verdict, Verdict::other_request);
  EXPECT_EQ(window_.look("alice", "k", digest("other"), digest("b"), now_).verdict,
            Verdict::other_request);
}

TEST_F(KeyWindowTest, KeysBelongToTheirCaller) {
  answer("k");
  EXPECT_EQ(window_.look("bob", "k", digest("x"), digest("y"), now_).verdict, Verdict::first);
}

TEST_F(KeyWindowTest, ForgetsWhatDidNotRun) {
  const auto first = look("k");
  window_.forget(first.entry);
  const auto second = look("k", "other");
  EXPECT_EQ(second.verdict, Verdict::first);
  window_.finish(first.entry, {{}, "late"}, now_);
  EXPECT_EQ(look("k", "other").verdict, Verdict::in_use) << "the late one changes nothing";
}

TEST_F(KeyWindowTest, ForgetsWhatIsOld) {
  answer("k");
  now_ += 60s - 1ns;
  EXPECT_EQ(look("k").verdict, Verdict::answered);
  now_ += 1ns;
  EXPECT_EQ(look("k").verdict, Verdict::first);
}

TEST_F(KeyWindowTest, DropsTheOldestWhenItIsFull) {
  for (int i = 0; i < 10; ++i) answer("k" + std::to_string(i), 2'000);
  EXPECT_LE(window_.bytes(), 10'000U);
  EXPECT_EQ(look("k9").verdict, Verdict::answered);
  EXPECT_EQ(look("k0").verdict, Verdict::first);
  answer("huge", 100'000);
  EXPECT_EQ(window_.bytes(), 0U) << "what is larger than the window is not kept";
}

TEST_F(KeyWindowTest, BoundsTheNumberOfKeysByWhatTheyWeigh) {
  for (int i = 0; i < 1'000; ++i) answer("k" + std::to_string(i), 0);
  EXPECT_LE(window_.size(), 10'000U / 400U);
}

TEST_F(KeyWindowTest, ComparesABodyOnceItIsThere) {
  answer("k");
  const auto found = window_.look("alice", "k", digest("head"), std::nullopt, now_);
  ASSERT_EQ(found.verdict, Verdict::compare_body);
  EXPECT_EQ(window_.same(found.entry, digest("b")).verdict, Verdict::answered);
  EXPECT_EQ(window_.same(found.entry, digest("c")).verdict, Verdict::other_request);
}

TEST(KeyRuleTest, TakesVisibleAsciiOnce) {
  const auto key = [](std::string value) -> std::optional<std::string> {
    const pipe::Headers headers = {{"idempotency-key", std::move(value)}};
    const auto found = find_key(headers);
    return found ? std::optional<std::string>(*found) : std::nullopt;
  };
  EXPECT_EQ(find_key({{"x", "y"}}), "");
  EXPECT_EQ(key("a-1!~"), "a-1!~");
  EXPECT_EQ(key(std::string(255, 'k')), std::string(255, 'k'));
  EXPECT_EQ(key(std::string(256, 'k')), std::nullopt);
  EXPECT_EQ(key(""), std::nullopt);
  EXPECT_EQ(key("a b"), std::nullopt);
  EXPECT_EQ(key("caf\xc3\xa9"), std::nullopt);
  EXPECT_EQ(key("a\x7f"), std::nullopt);
  EXPECT_EQ(find_key({{"idempotency-key", "a"}, {"idempotency-key", "a"}}), std::nullopt);
}

TEST(HeadDigestTest, KeepsTheFieldsApart) {
  auto a = make_event("post", "ab");
  a.query = "c";
  auto b = make_event("post", "a");
  b.query = "bc";
  EXPECT_NE(head_digest(a), head_digest(b));
}

class IdempotencyTest : public testing::Test {
 protected:
  IdempotencyTest() {
    dispatcher_.add("post", "count", Flags::none, [this](const Invocation&, Responder& responder) {
      responder.reply({7, "text/plain", {{"x-a", "1"}}}, std::to_string(++runs_));
    });
    dispatcher_.add("post", "later", Flags::none, [this](const Invocation&, Responder& responder) {
      ++runs_;
      kept_.push_back(std::move(responder));
    });
    dispatcher_.add("post", "stream", Flags::streaming,
                    [this](const Invocation&, Responder& responder) {
                      ++runs_;
                      responder.begin({});
                      kept_.push_back(std::move(responder));
                    });
    dispatcher_.add("post", "again", Flags::idempotent,
                    [this](const Invocation&, Responder& responder) {
                      responder.reply({}, std::to_string(++runs_));
                    });
  }

  static pipe::Event keyed(std::string noun, std::string key, bool follows = false) {
    auto event = make_event("post", std::move(noun));
    event.headers = {{"idempotency-key", std::move(key)}};
    event.body_follows = follows;
    return event;
  }
  Asked post(std::string noun, std::string key, std::string body = {}) {
    return ask(dispatcher_, keyed(std::move(noun), std::move(key)), std::move(body));
  }
  static bool is_replay(const Asked& asked) {
    const auto headers = asked->head().headers;
    return !headers.empty() && headers.back() == pipe::Header{"idempotency-replayed", "true"};
  }

  int runs_ = 0;
  std::deque<Responder> kept_;
  Dispatcher dispatcher_{{.workers = 1, .queued_max = 1, .in_flight_max = 8}};
};

TEST_F(IdempotencyTest, GivesTheFirstAnswerAgain) {
  const auto first = post("count", "k", "body");
  EXPECT_EQ(first->body(), "1");
  EXPECT_FALSE(is_replay(first));
  const auto second = post("count", "k", "body");
  EXPECT_EQ(second->body(), "1");
  EXPECT_EQ(second->head().code, 7U) << "whatever its code";
  EXPECT_TRUE(is_replay(second));
  EXPECT_EQ(second->head().headers.front(), (pipe::Header{"x-a", "1"}));
  EXPECT_EQ(post("count", "other", "body")->body(), "2");
}

TEST_F(IdempotencyTest, RefusesAnotherRequestWithTheKey) {
  post("count", "k", "body");
  EXPECT_EQ(post("count", "k", "another")->error(), Errc::key_reused);
  EXPECT_EQ(post("later", "k", "body")->error(), Errc::key_reused);
  auto query = keyed("count", "k");
  query.query = "a=1";
  EXPECT_EQ(ask(dispatcher_, std::move(query), "body")->error(), Errc::key_reused);
  EXPECT_EQ(runs_, 1);
}

TEST_F(IdempotencyTest, RefusesARepetitionWhileTheFirstRuns) {
  const auto first = post("later", "k");
  EXPECT_EQ(post("later", "k")->error(), Errc::key_in_use);
  kept_[0].reply({}, "done");
  EXPECT_EQ(first->body(), "done");
  EXPECT_EQ(post("later", "k")->body(), "done");
  EXPECT_EQ(runs_, 1);
}

TEST_F(IdempotencyTest, RefusesAKeyThatBreaksTheRule) {
  const auto asked = post("count", "a b");
  EXPECT_EQ(asked->head().code, 251U);
  EXPECT_NE(asked->body().find("1 to 255 visible ASCII characters"), std::string::npos);
  EXPECT_EQ(runs_, 0);
}

TEST_F(IdempotencyTest, IdempotentMethodsRunAgain) {
  EXPECT_EQ(post("again", "k")->body(), "1");
  EXPECT_EQ(post("again", "k")->body(), "2");
}

TEST_F(IdempotencyTest, AnUnknownMethodUsesNoKeyUp) {
  EXPECT_EQ(post("nope", "k")->head().code, pipe::kCodeNoSuchMethod);
  EXPECT_EQ(post("count", "k")->body(), "1");
}

TEST_F(IdempotencyTest, RemembersExceptionsOfHandlers) {
  const auto first = post("later", "k");
  kept_[0].raise({"Oops", "once", "tb"});
  EXPECT_EQ(first->head().code, 251U);
  const auto second = post("later", "k");
  EXPECT_EQ(second->body(), first->body());
  EXPECT_TRUE(is_replay(second));
}

TEST_F(IdempotencyTest, RunsOnThoughItsCallerLeft) {
  const auto first = post("later", "k");
  first.control->cancel();
  EXPECT_FALSE(kept_[0].is_cancelled());
  kept_[0].reply({}, "done");
  EXPECT_FALSE(first->done());
  EXPECT_EQ(post("later", "k")->body(), "done");
  EXPECT_EQ(runs_, 1);
}

TEST_F(IdempotencyTest, ARepetitionTakesThePlaceOfACallerThatLeft) {
  const auto first = post("later", "k");
  first.control->cancel();
  const auto second = post("later", "k");
  EXPECT_FALSE(second->done());
  EXPECT_EQ(post("later", "k")->error(), Errc::key_in_use) << "now somebody waits";
  first.control->cancel();
  kept_[0].reply({}, "done");
  EXPECT_EQ(second->body(), "done");
  EXPECT_FALSE(first->done());
  EXPECT_EQ(runs_, 1);
}

TEST_F(IdempotencyTest, ForgetsWhatCouldNotBegin) {
  std::deque<Asked> others;
  for (int i = 0; i < 8; ++i) others.push_back(ask(dispatcher_, "post", "later"));
  EXPECT_EQ(post("count", "k")->error(), Errc::overloaded);
  for (auto& responder : kept_) responder.reply({}, "");
  EXPECT_EQ(post("count", "k")->body(), "9");
}

TEST_F(IdempotencyTest, SaysThatAFailedHandlerMayHaveRun) {
  auto event = keyed("later", "k");
  event.deadline = pipe::Clock::now() + 20ms;
  const auto first = ask(dispatcher_, std::move(event));
  ASSERT_TRUE(first->wait_done());
  EXPECT_EQ(first->error(), Errc::deadline_exceeded);
  const auto second = post("later", "k");
  EXPECT_EQ(second->error(), Errc::key_reused);
  EXPECT_NE(second->failure()->detail.find("failed with deadline_exceeded after it had begun"),
            std::string::npos);
}

TEST_F(IdempotencyTest, ADeadlineBeforeTheHandlerIsForgotten) {
  auto late = keyed("count", "k");
  late.deadline = pipe::Clock::now() - 1ms;
  EXPECT_EQ(ask(dispatcher_, std::move(late))->error(), Errc::deadline_exceeded);
  EXPECT_EQ(post("count", "k")->body(), "1");
}

TEST_F(IdempotencyTest, KeepsNoStreamedAnswer) {
  const auto first = post("stream", "k");
  EXPECT_EQ(post("stream", "k")->error(), Errc::key_in_use);
  kept_[0].write("abc");
  kept_[0].end();
  EXPECT_EQ(first->body(), "abc");
  const auto second = post("stream", "k");
  EXPECT_EQ(second->error(), Errc::key_reused);
  EXPECT_NE(second->failure()->detail.find("it was streamed"), std::string::npos);
  EXPECT_EQ(runs_, 1);
}

TEST_F(IdempotencyTest, AStreamWithoutReaderComesToItsEnd) {
  const auto first = post("stream", "k");
  const std::string piece(kPieceBytesMax, 'x');
  auto& responder = kept_[0];
  while (responder.write(piece) == Answer::ok) continue;
  first.control->cancel();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(responder.write(piece), Answer::ok) << i;
  EXPECT_EQ(responder.end(), Answer::ok);
}

TEST_F(IdempotencyTest, KeepsNoLongAnswer) {
  const auto first = post("later", "k");
  kept_[0].reply({}, std::string(kKeptAnswerBytesMax + 1, 'x'));
  EXPECT_EQ(first->body().size(), kKeptAnswerBytesMax + 1);
  const auto second = post("later", "k");
  EXPECT_EQ(second->error(), Errc::key_reused);
  EXPECT_NE(second->failure()->detail.find("longer than 1048576 bytes"), std::string::npos);
}

TEST_F(IdempotencyTest, HashesABodyThatFollows) {
  const auto first = ask(dispatcher_, keyed("count", "k", /*follows=*/true));
  EXPECT_EQ(post("count", "k", "body")->error(), Errc::key_in_use);
  first.control->body_data("bo");
  first.control->body_data("dy");
  first.control->body_end();
  EXPECT_EQ(first->body(), "1");
  EXPECT_EQ(post("count", "k", "body")->body(), "1");
  EXPECT_EQ(post("count", "k", "bodies")->error(), Errc::key_reused);

  const auto again = ask(dispatcher_, keyed("count", "k", /*follows=*/true));
  EXPECT_FALSE(again->done());
  again.control->body_data("body");
  EXPECT_EQ(again->body_consumed_bytes(), 4U);
  again.control->body_end();
  EXPECT_EQ(again->body(), "1");
  EXPECT_TRUE(is_replay(again));

  const auto other = ask(dispatcher_, keyed("count", "k", /*follows=*/true));
  other.control->body_data("bodies");
  other.control->body_end();
  EXPECT_EQ(other->error(), Errc::key_reused);
  EXPECT_EQ(dispatcher_.in_flight(), 0U);
}

TEST_F(IdempotencyTest, ARequestThatNeverWasCompleteIsNone) {
  const auto first = ask(dispatcher_, keyed("count", "k", /*follows=*/true));
  first.control->body_data("bo");
  first.control->cancel();
  EXPECT_EQ(dispatcher_.in_flight(), 0U);
  EXPECT_EQ(post("count", "k", "another")->body(), "1");
}

TEST_F(IdempotencyTest, KeysOfDifferentCallersAreDifferent) {
  EXPECT_EQ(post("count", "k")->body(), "1");
  auto sink = std::make_shared<RecordingSink>();
  dispatcher_.submit(keyed("count", "k"), {}, {"bob", "192.0.2.8", 1}, sink);
  EXPECT_EQ(sink->body(), "2");
}

/// Answers with the number of its calls.
class CountingTarget final : public pipe::EventTarget {
 public:
  std::shared_ptr<pipe::CallControl> submit(pipe::Event&&, std::string&&, const pipe::Origin&,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    if (refuses) {
      sink->fail({Errc::overloaded, "no process left"});
    } else {
      sink->reply({}, std::to_string(++runs));
    }
    return std::make_shared<Control>();
  }
  class Control final : public pipe::CallControl {
    void cancel() override {}
    void consumed(std::size_t) override {}
  };

  int runs = 0;
  bool refuses = false;
};

TEST_F(IdempotencyTest, HoldsForMountedTargets) {
  const auto target = std::make_shared<CountingTarget>();
  dispatcher_.mount("app", target);
  target->refuses = true;
  EXPECT_EQ(post("app//x", "k")->error(), Errc::overloaded);
  target->refuses = false;
  EXPECT_EQ(post("app//x", "k")->body(), "1");
  EXPECT_EQ(post("app//x", "k")->body(), "1");
  EXPECT_EQ(post("app//y", "k")->error(), Errc::key_reused);
  EXPECT_EQ(target->runs, 1);
}

}  // namespace
}  // namespace rp::handlers
