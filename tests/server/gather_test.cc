#include "server/gather.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/scripted_peer.h"

namespace rp::server {
namespace {

using namespace std::chrono_literals;
using pipe::Errc;
using testing::HasSubstr;

constexpr const char* kTimedOut =
    R"({"error":{"code":"deadline_exceeded","detail":"no reply within the time; the handler may have run"}})";

class GatherTest : public testing::Test {
 protected:
  Gather& gather(GatherLimits limits = {}) {
    gather_ = std::make_unique<Gather>(
        context_,
        [this](const std::string& name) {
          return std::shared_ptr<pipe::EventTarget>(&peers_[name], [](auto*) {});
        },
        limits);
    return *gather_;
  }

  pipe::Event event(const std::string& accept = "") {
    pipe::Event event;
    event.verb = "get";
    event.noun = "time";
    event.caller = "alpha";
    event.request_id = "r-1";
    if (!accept.empty()) event.headers.push_back({"accept", accept});
    return event;
  }

  void ask(std::vector<std::string> names, pipe::Event event, std::string body = "") {
    if (!gather_) gather();
    control_ = gather_->submit(std::move(names), std::move(event), std::move(body), answer_);
  }

  /// The one call that the client has got.
  ScriptedPeer::Call& call(const std::string& name) {
    EXPECT_EQ(peers_[name].calls.size(), 1U) << name;
    return peers_[name].calls.front();
  }
  void reply(const std::string& name, const std::string& body,
             const std::string& content_type = "text/plain") {
    pipe::ReplyHead head;
    head.content_type = content_type;
    call(name).sink->reply(std::move(head), std::string(body));
  }

  void run_until(const std::function<bool()>& done) {
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    while (!done() && std::chrono::steady_clock::now() < give_up) {
      context_.restart();
      context_.run_one_for(50ms);
    }
    EXPECT_TRUE(done());
  }

  boost::asio::io_context context_{1};
  std::map<std::string, ScriptedPeer> peers_;
  std::unique_ptr<Gather> gather_;
  std::shared_ptr<NotedAnswer> answer_ = std::make_shared<NotedAnswer>();
  std::shared_ptr<pipe::CallControl> control_;
};

TEST_F(GatherTest, MakesOneSortedObjectOfAllReplies) {
  ask({"b", "a"}, event());
  reply("b", "hello");
  EXPECT_FALSE(answer_->ended);
  reply("a", R"({"t": 1})", "application/json");
  ASSERT_TRUE(answer_->ended);
  EXPECT_EQ(answer_->head->content_type, "application/json");
  EXPECT_EQ(answer_->body,
            "{\"a\":{\"code\":0,\"content_type\":\"application/json\",\"body\":{\"t\":1}},"
            "\"b\":{\"code\":0,\"content_type\":\"text/plain\",\"body\":\"hello\"}}\n");
}

TEST_F(GatherTest, EachClientGetsTheEventAsItIsButForItsTarget) {
  auto asked = event();
  asked.target = "*";
  asked.query = "a=1";
  ask({"a"}, asked, "body");
  EXPECT_EQ(call("a").event.target, "");
  EXPECT_EQ(call("a").event.caller, "alpha");
  EXPECT_EQ(call("a").event.query, "a=1");
  EXPECT_EQ(call("a").event.request_id, "r-1");
  EXPECT_EQ(call("a").body, "body");
  EXPECT_FALSE(call("a").event.body_follows);
}

TEST_F(GatherTest, NobodyThereIsAnEmptyObject) {
  ask({}, event());
  EXPECT_TRUE(answer_->ended);
  EXPECT_EQ(answer_->body, "{}\n");
}

TEST_F(GatherTest, RepliesThatComeAtOnceDoNotNest) {
  std::vector<std::string> names;
  for (int i = 0; i < 20'000; ++i) {
    names.push_back("client-" + std::to_string(i));
    peers_[names.back()].at_once = "x";
  }
  ask(names, event());
  EXPECT_TRUE(answer_->ended);
}

TEST_F(GatherTest, WhoDoesNotReplyInTimeIsListedWithTheReason) {
  auto asked = event();
  asked.deadline = pipe::Clock::now() + 200ms;
  ask({"fast", "slow"}, asked);
  reply("fast", "x");
  run_until([&] { return answer_->ended; });
  EXPECT_LT(pipe::Clock::now(), asked.deadline + 5s);
  EXPECT_THAT(answer_->body, HasSubstr(std::string("\"slow\":") + kTimedOut + "}"));
  EXPECT_TRUE(call("slow").control->cancelled);
  EXPECT_FALSE(call("fast").control->cancelled);
  EXPECT_LT(call("slow").event.deadline, asked.deadline) << "the answer needs time for its way";
}

TEST_F(GatherTest, AnEventWithoutADeadlineGetsOne) {
  gather({.timeout = 30ms});
  ask({"slow"}, event());
  run_until([&] { return answer_->ended; });
  EXPECT_EQ(answer_->body, std::string("{\"slow\":") + kTimedOut + "}\n");
  reply("slow", "too late");
  EXPECT_THAT(answer_->body, testing::Not(HasSubstr("too late")));
}

TEST_F(GatherTest, AFailureIsListedByName) {
  ask({"gone"}, event());
  call("gone").sink->fail({Errc::session_lost, "the handler may have run"});
  EXPECT_EQ(answer_->body,
            "{\"gone\":{\"error\":{\"code\":\"session_lost\",\"detail\":\"the handler may have "
            "run\"}}}\n");
}

TEST_F(GatherTest, LinesComeAsTheRepliesDo) {
  ask({"a", "b"}, event("text/html, application/x-ndjson"));
  ASSERT_TRUE(answer_->head);
  EXPECT_EQ(answer_->head->content_type, "application/x-ndjson");
  EXPECT_TRUE(call("a").event.headers.empty()) << "the form is no business of the clients";
  reply("b", "second");
  EXPECT_EQ(answer_->body,
            "{\"node\":\"b\",\"code\":0,\"content_type\":\"text/plain\",\"body\":\"second\"}\n");
  EXPECT_FALSE(answer_->ended);
  call("a").sink->fail({Errc::peer_unavailable, "away"});
  EXPECT_TRUE(answer_->ended);
  EXPECT_THAT(answer_->body,
              HasSubstr("\n{\"node\":\"a\",\"error\":{\"code\":\"peer_unavailable\""));
}

TEST_F(GatherTest, AStreamedReplyIsCollected) {
  ask({"a"}, event());
  auto& client = call("a");
  client.sink->begin({});
  client.sink->data("one ");
  client.sink->data("two");
  EXPECT_EQ(client.control->consumed_bytes, 7U);
  client.sink->end();
  EXPECT_THAT(answer_->body, HasSubstr("\"body\":\"one two\""));
}

TEST_F(GatherTest, AReplyOverItsBoundIsAnErrorAndIsStopped) {
  gather({.reply_bytes_max = 10});
  ask({"a", "b", "c"}, event());
  reply("a", "12345678901");
  call("b").sink->begin({});
  call("b").sink->data("12345678");
  call("b").sink->data("901");
  EXPECT_TRUE(call("b").control->cancelled);
  call("b").sink->end();
  reply("c", "1234567890");
  ASSERT_TRUE(answer_->ended);
  EXPECT_THAT(answer_->body, HasSubstr("\"a\":{\"error\":{\"code\":\"body_too_large\""));
  EXPECT_THAT(answer_->body, HasSubstr("\"b\":{\"error\":{\"code\":\"body_too_large\""));
  EXPECT_THAT(answer_->body, HasSubstr("\"body\":\"1234567890\""));
}

TEST_F(GatherTest, RepliesTogetherAreBounded) {
  gather({.reply_bytes_max = 1'000, .replies_bytes_max = 2'500});
  ask({"a", "b", "c"}, event());
  for (const char* name : {"a", "b", "c"}) reply(name, std::string(900, 'x'));
  ASSERT_TRUE(answer_->ended);
  EXPECT_THAT(answer_->body, HasSubstr("\"c\":{\"error\":{\"code\":\"overloaded\""));
  EXPECT_THAT(answer_->body, testing::Not(HasSubstr("\"b\":{\"error\"")));
}

TEST_F(GatherTest, AsksSoManyAtOnceAndGoesOnAsTheyReply) {
  gather({.clients_at_once_max = 2});
  ask({"a", "b", "c"}, event());
  EXPECT_TRUE(peers_["c"].calls.empty());
  reply("b", "x");
  reply("c", "x");
  reply("a", "x");
  EXPECT_TRUE(answer_->ended);
}

TEST_F(GatherTest, WhoCouldNotBeAskedInTimeIsListedToo) {
  gather({.timeout = 30ms, .clients_at_once_max = 1});
  ask({"a", "b"}, event());
  run_until([&] { return answer_->ended; });
  EXPECT_THAT(answer_->body, HasSubstr("\"b\":{\"error\":{\"code\":\"not_sent\""));
  EXPECT_TRUE(peers_["b"].calls.empty());
}

TEST_F(GatherTest, CopiesOfALargeBodyAreBounded) {
  gather({.copies_bytes_max = 1'000});
  ask({"a", "b", "c"}, event(), std::string(400, 'x'));
  EXPECT_EQ(peers_["b"].calls.size(), 1U);
  EXPECT_TRUE(peers_["c"].calls.empty());
}

TEST_F(GatherTest, ABodyThatFollowsIsGatheredFirst) {
  auto asked = event();
  asked.body_follows = true;
  asked.body_bytes = 6;
  ask({"a"}, asked);
  control_->body_data("one");
  control_->body_data("two");
  EXPECT_EQ(answer_->consumed_bytes, 6U);
  EXPECT_TRUE(peers_["a"].calls.empty());
  control_->body_end();
  EXPECT_EQ(call("a").body, "onetwo");
}

TEST_F(GatherTest, ABodyOverTheBoundIsRefusedAndNobodyAsked) {
  gather({.request_bytes_max = 5});
  auto asked = event();
  asked.body_follows = true;
  ask({"a"}, asked);
  control_->body_data("1234");
  EXPECT_FALSE(answer_->failed);
  control_->body_data("56");
  ASSERT_TRUE(answer_->failed);
  EXPECT_EQ(answer_->failed->code, Errc::body_too_large);
  control_->body_end();
  EXPECT_TRUE(peers_["a"].calls.empty());
}

TEST_F(GatherTest, ABodyThatIsKnownToBeTooLargeIsRefusedAtOnce) {
  gather({.request_bytes_max = 5});
  auto asked = event();
  asked.body_follows = true;
  asked.body_bytes = 6;
  ask({"a"}, asked);
  ASSERT_TRUE(answer_->failed);
  EXPECT_EQ(answer_->failed->code, Errc::body_too_large);
}

TEST_F(GatherTest, ABodyThatDoesNotEndInTimeFails) {
  gather({.timeout = 30ms});
  auto asked = event();
  asked.body_follows = true;
  ask({"a"}, asked);
  run_until([&] { return answer_->failed.has_value(); });
  EXPECT_EQ(answer_->failed->code, Errc::deadline_exceeded);
  EXPECT_TRUE(peers_["a"].calls.empty());
}

TEST_F(GatherTest, ACallerThatLeavesCancelsAllThatIsUnderWay) {
  gather({.clients_at_once_max = 2});
  ask({"a", "b", "c"}, event("application/x-ndjson"));
  reply("a", "x");
  const std::string said = answer_->body;
  control_->cancel();
  EXPECT_TRUE(call("b").control->cancelled);
  EXPECT_TRUE(call("c").control->cancelled);
  reply("b", "y");
  EXPECT_EQ(answer_->body, said);
  EXPECT_FALSE(answer_->ended);
}

TEST_F(GatherTest, ASlowReaderOfLinesSlowsTheAsking) {
  gather({.clients_at_once_max = 1, .reply_bytes_max = 400'000, .replies_bytes_max = 1'000'000});
  ask({"a", "b", "c"}, event("application/x-ndjson"));
  reply("a", std::string(400'000, 'x'));
  EXPECT_LE(answer_->body.size(), pipe::kStreamWindowBytes);
  EXPECT_LE(answer_->largest_piece, 65'536U);
  reply("b", std::string(400'000, 'x'));
  EXPECT_TRUE(peers_["c"].calls.empty()) << "two replies wait to be read";
  for (int i = 0; i < 10 && peers_["c"].calls.empty(); ++i) control_->consumed(100'000);
  reply("c", "z");
  while (!answer_->ended) {
    const auto before = answer_->body.size();
    control_->consumed(100'000);
    if (answer_->body.size() == before && !answer_->ended) break;
  }
  EXPECT_TRUE(answer_->ended);
  EXPECT_GT(answer_->body.size(), 800'000U);
}

TEST_F(GatherTest, GathersUnderWayAreBounded) {
  gather({.gathers_max = 1});
  ask({"a"}, event());
  const auto first = std::exchange(answer_, std::make_shared<NotedAnswer>());
  const auto kept = control_;
  ask({"a"}, event());
  ASSERT_TRUE(answer_->failed);
  EXPECT_EQ(answer_->failed->code, Errc::overloaded);
}

TEST_F(GatherTest, WhatOneGatherHeldIsThereForTheNext) {
  gather({.request_bytes_max = 100, .held_bytes_max = 150, .gathers_max = 2});
  for (int i = 0; i < 5; ++i) {
    answer_ = std::make_shared<NotedAnswer>();
    ask({"a"}, event(), std::string(100, 'x'));
    ASSERT_FALSE(answer_->failed) << i << ": " << answer_->failed->detail;
    reply("a", "fine");
    EXPECT_TRUE(answer_->ended) << i;
    peers_.clear();
    control_.reset();
    context_.restart();
    context_.run();  // to the end of the timer, which has been stopped
  }
}

/// Answers on threads of its own, in pieces, some of them with a failure.
class ThreadedPeer final : public pipe::EventTarget {
 public:
  ThreadedPeer(boost::asio::thread_pool& pool, int number) : pool_(pool), number_(number) {}

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&&, std::string&&, const pipe::Origin&,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override {
    boost::asio::post(pool_, [sink, number = number_] {
      if (number % 7 == 0) return sink->fail({Errc::session_lost, ""});
      if (number % 2 == 0) return sink->reply({}, std::string(3'000, 'x'));
      sink->begin({});
      for (int i = 0; i < 3; ++i) sink->data(std::string(1'000, 'y'));
      sink->end();
    });
    return std::make_shared<IgnoringControl>();
  }

 private:
  class IgnoringControl final : public pipe::CallControl {
   public:
    void cancel() override {}
    void consumed(std::size_t) override {}
  };

  boost::asio::thread_pool& pool_;
  const int number_;
};

/// Reads lines on threads of its own, which give credit back.
class ThreadedReader final : public pipe::ReplySink {
 public:
  explicit ThreadedReader(boost::asio::thread_pool& pool) : pool_(pool) {}

  void reply(pipe::ReplyHead&&, std::string&& body) override { finish(std::move(body)); }
  void begin(pipe::ReplyHead&&) override {}
  void data(std::string piece) override {
    EXPECT_EQ(inside_.fetch_add(1), 0) << "one at a time";
    text_ += piece;
    boost::asio::post(pool_, [this, bytes = piece.size()] { control.get()->consumed(bytes); });
    --inside_;
  }
  void end() override { finish(std::move(text_)); }
  void fail(pipe::Failure failure) override { finish(failure.detail); }

  std::shared_future<std::shared_ptr<pipe::CallControl>> control;
  std::promise<std::string> done;

 private:
  void finish(std::string text) { done.set_value(std::move(text)); }

  boost::asio::thread_pool& pool_;
  std::atomic<int> inside_{0};
  std::string text_;
};

TEST(GatherThreadsTest, RepliesComeFromManyThreadsAtOnce) {
  constexpr int kClients = 400;
  boost::asio::thread_pool pool(4);
  boost::asio::io_context context{1};
  std::vector<std::string> names;
  for (int i = 0; i < kClients; ++i) names.push_back("client-" + std::to_string(i));
  Gather gather(context,
                [&](const std::string& name) {
                  return std::make_shared<ThreadedPeer>(pool, std::stoi(name.substr(7)));
                },
                {.clients_at_once_max = 50});
  std::promise<std::shared_ptr<pipe::CallControl>> control;
  const auto reader = std::make_shared<ThreadedReader>(pool);
  reader->control = control.get_future();
  pipe::Event event;
  event.headers.push_back({"accept", "application/x-ndjson"});
  control.set_value(gather.submit(names, std::move(event), {}, reader));
  auto done = reader->done.get_future();
  ASSERT_EQ(done.wait_for(20s), std::future_status::ready);
  const std::string text = done.get();
  pool.join();
  reader->control = {};  // the call holds its reader
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), kClients);
}

}  // namespace
}  // namespace rp::server
