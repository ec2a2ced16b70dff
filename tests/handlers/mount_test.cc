#include <deque>
#include <stdexcept>

#include <gtest/gtest.h>

#include "handlers/dispatcher.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;

/// Keeps what it is given; the test answers.
class Target final : public pipe::EventTarget {
 public:
  class Control final : public pipe::CallControl {
   public:
    void cancel() override { ++cancelled; }
    void consumed(std::size_t bytes) override { consumed_bytes += bytes; }
    void body_data(std::string piece) override { body += piece; }
    void body_end() override { body += '.'; }

    std::atomic<int> cancelled{0};
    std::size_t consumed_bytes = 0;
    std::string body;
  };
  struct Taken {
    pipe::Event event;
    std::string body;
    std::shared_ptr<pipe::ReplySink> sink;
    std::shared_ptr<Control> control;
  };

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin&,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    taken.push_back(
        {std::move(event), std::move(body), std::move(sink), std::make_shared<Control>()});
    return taken.back().control;
  }

  std::deque<Taken> taken;
};

class MountTest : public ::testing::Test {
 protected:
  MountTest() {
    dispatcher_.mount("app", app_);
    dispatcher_.mount("app/deep", deep_);
    dispatcher_.add("get", "app/exact", Flags::none, [](const Invocation&, Responder& responder) {
      responder.reply({0, "text/plain", {}}, "exact");
    });
    dispatcher_.add("get", "pat*", Flags::none, [](const Invocation&, Responder& responder) {
      responder.reply({0, "text/plain", {}}, "pattern");
    });
  }

  std::shared_ptr<Target> app_ = std::make_shared<Target>();
  std::shared_ptr<Target> deep_ = std::make_shared<Target>();
  std::shared_ptr<Target> all_ = std::make_shared<Target>();
  Dispatcher dispatcher_;
};

TEST_F(MountTest, TakesItsNounAndWhatFollowsASlash) {
  for (const char* noun : {"app", "app/", "app//", "app//a/b", "app/x//y"}) {
    for (const char* verb : {"get", "post", "delete"}) ask(dispatcher_, verb, noun);
  }
  ASSERT_EQ(app_->taken.size(), 15U);
  EXPECT_EQ(app_->taken[9].event.noun, "app//a/b");
  for (const char* noun : {"apple", "ap", "", "/app", "x/app", "app_x"}) {
    EXPECT_EQ(ask(dispatcher_, "get", noun)->head().code, pipe::kCodeNoSuchMethod) << noun;
  }
}

TEST_F(MountTest, TheLongestNounWinsAndAnExactMethodBeforeIt) {
  ask(dispatcher_, "get", "app/deep//x");
  ask(dispatcher_, "get", "app/deeper");
  EXPECT_EQ(deep_->taken.size(), 1U);
  EXPECT_EQ(app_->taken.size(), 1U);
  EXPECT_EQ(ask(dispatcher_, "get", "app/exact//1")->body(), "exact");
  ask(dispatcher_, "post", "app/exact");
  EXPECT_EQ(app_->taken.size(), 2U);
}

TEST_F(MountTest, TheEmptyNounTakesWhatNothingElseDoes) {
  dispatcher_.mount("", all_);
  EXPECT_EQ(ask(dispatcher_, "get", "pattern")->body(), "pattern");
  EXPECT_EQ(ask(dispatcher_, "get", "app/exact")->body(), "exact");
  ask(dispatcher_, "get", "app//x");
  ask(dispatcher_, "get", "other//x");
  EXPECT_EQ(app_->taken.size(), 1U);
  ASSERT_EQ(all_->taken.size(), 1U);
  EXPECT_EQ(all_->taken[0].event.noun, "other//x");
}

TEST_F(MountTest, RefusesANounThatIsMalformedOrTaken) {
  for (const char* noun : {"app", "/x", "x/", "x//y", "a b", "x*"}) {
    EXPECT_THROW(dispatcher_.mount(noun, all_), std::invalid_argument) << noun;
  }
}

TEST_F(MountTest, EverythingPassesInBothDirections) {
  auto event = make_event("put", "app//x");
  event.body_follows = true;
  const auto asked = ask(dispatcher_, std::move(event));
  auto& taken = app_->taken.at(0);
  EXPECT_TRUE(taken.event.body_follows);
  asked.control->body_data("ab");
  asked.control->body_end();
  EXPECT_EQ(taken.control->body, "ab.");
  pipe::ReplyHead head{0, "text/plain", {{"x-a", "1"}}};
  head.http_status = 201;
  taken.sink->begin(std::move(head));
  taken.sink->data("one ");
  asked.control->consumed(4);
  EXPECT_EQ(taken.control->consumed_bytes, 4U);
  taken.sink->data("two");
  taken.sink->end();
  EXPECT_EQ(asked->head().http_status, 201);
  EXPECT_EQ(asked->body(), "one two");
  EXPECT_TRUE(asked->done());
  EXPECT_EQ(dispatcher_.in_flight(), 0U);
  asked.control->cancel();
  EXPECT_EQ(taken.control->cancelled, 0) << "it was complete";
}

TEST_F(MountTest, ACancelReachesTheTarget) {
  const auto asked = ask(dispatcher_, "get", "app//x");
  EXPECT_EQ(dispatcher_.in_flight(), 1U);
  asked.control->cancel();
  EXPECT_EQ(app_->taken.at(0).control->cancelled, 1);
  EXPECT_EQ(dispatcher_.in_flight(), 0U);
  app_->taken.at(0).sink->reply({}, "late");
  EXPECT_FALSE(asked->done());
}

TEST_F(MountTest, TheDeadlineEndsTheCallAndReachesTheTarget) {
  auto event = make_event("get", "app//x");
  event.deadline = pipe::Clock::now() + 20ms;
  const auto asked = ask(dispatcher_, std::move(event));
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->error(), pipe::Errc::deadline_exceeded);
  const auto until = pipe::Clock::now() + kPatience;
  while (app_->taken.at(0).control->cancelled == 0 && pipe::Clock::now() < until) {
    std::this_thread::yield();
  }
  EXPECT_EQ(app_->taken.at(0).control->cancelled, 1);
}

TEST_F(MountTest, StopEndsWhatIsInFlightAndTakesNothingNew) {
  const auto asked = ask(dispatcher_, "get", "app//x");
  dispatcher_.stop(0ms);
  EXPECT_EQ(asked->error(), pipe::Errc::stopped);
  EXPECT_EQ(app_->taken.at(0).control->cancelled, 1);
  EXPECT_EQ(ask(dispatcher_, "get", "app//x")->error(), pipe::Errc::draining);
  EXPECT_EQ(app_->taken.size(), 1U);
}

class ElsewhereTest : public MountTest {
 protected:
  ElsewhereTest() {
    dispatcher_.add("get", "far", Flags::idempotent, all_);
    dispatcher_.add("get", "app/far", Flags::none, all_);
    dispatcher_.add("get", "far/*", Flags::none, all_);
  }
  // What it has taken knows the dispatcher's methods, and with them the target.
  ~ElsewhereTest() override { all_->taken.clear(); }
};

TEST_F(ElsewhereTest, AMethodMayBeAnsweredByATarget) {
  const auto asked = ask(dispatcher_, "get", "far//a/b");
  ASSERT_EQ(all_->taken.size(), 1U);
  EXPECT_EQ(all_->taken[0].event.noun, "far//a/b");
  pipe::ReplyHead head{7, "text/plain", {}};
  head.queued = std::chrono::hours(1);  // more than the whole call took: nothing is left for it
  all_->taken[0].sink->reply(std::move(head), "there");
  EXPECT_EQ(asked->head().code, 7U);
  EXPECT_EQ(asked->body(), "there");
  EXPECT_EQ(asked->head().handled.count(), 0);
}

TEST_F(ElsewhereTest, IsFoundAsMethodsAre) {
  EXPECT_EQ(ask(dispatcher_, "put", "far")->head().code, pipe::kCodeNoSuchMethod);
  ask(dispatcher_, "get", "far_away");  // the pattern
  ask(dispatcher_, "get", "app/far");   // before the mount of its noun
  EXPECT_EQ(all_->taken.size(), 2U);
  EXPECT_TRUE(app_->taken.empty());
  EXPECT_TRUE(dispatcher_.is_idempotent("get", "far//x"));
  EXPECT_FALSE(dispatcher_.is_idempotent("get", "far/away"));
}

TEST_F(ElsewhereTest, ItsNameIsTaken) {
  EXPECT_THROW(dispatcher_.add("get", "far", Flags::none, all_), std::invalid_argument);
  EXPECT_THROW(dispatcher_.add("get", "near", Flags::none, std::shared_ptr<Target>()),
               std::invalid_argument);
}

TEST(KeysElsewhereTest, WithoutAWindowAKeyMeansNothing) {
  DispatcherOptions options;
  options.idempotency_window = 0s;
  Dispatcher dispatcher(options);
  int runs = 0;
  dispatcher.add("post", "run", Flags::none, [&](const Invocation&, Responder& responder) {
    ++runs;
    responder.reply({0, "text/plain", {}}, "");
  });
  for (int i = 0; i < 2; ++i) {
    auto event = make_event("post", "run");
    event.headers.push_back({"idempotency-key", "k"});
    ask(dispatcher, std::move(event));
  }
  EXPECT_EQ(runs, 2);
}

TEST(MountBoundTest, MountedCallsCountAsInFlight) {
  const auto target = std::make_shared<Target>();
  Dispatcher dispatcher({.workers = 1, .queued_max = 1, .in_flight_max = 1});
  dispatcher.mount("app", target);
  const auto first = ask(dispatcher, "get", "app//1");
  EXPECT_EQ(ask(dispatcher, "get", "app//2")->error(), pipe::Errc::overloaded);
  target->taken.at(0).sink->reply({}, "");
  ask(dispatcher, "get", "app//3");
  EXPECT_EQ(target->taken.size(), 2U);
}

}  // namespace
}  // namespace rp::handlers
