// Request bodies that follow their events.
#include <atomic>
#include <future>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "handlers/byte_budget.h"
#include "handlers/dispatcher.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;
using pipe::Errc;

class FollowingBodyTest : public testing::Test {
 protected:
  Asked put(const std::string& noun, std::optional<std::uint64_t> bytes = std::nullopt,
            pipe::Clock::duration timeout = {}) {
    auto event = make_event("put", noun);
    event.body_follows = true;
    event.body_bytes = bytes;
    if (timeout != pipe::Clock::duration{}) event.deadline = pipe::Clock::now() + timeout;
    return ask(dispatcher_, std::move(event));
  }
  void add_echo(Flags flags) {
    dispatcher_.add("put", "echo", flags, [this](const Invocation& asked, Responder& responder) {
      ++ran_;
      responder.reply({}, std::string(asked.body));
    });
  }

  std::atomic<int> ran_ = 0;
  Dispatcher dispatcher_{{.workers = 2,
                          .in_flight_max = 8,
                          .body_bytes_max = 100,
                          .gathered_bytes_max = 150,
                          .body_timeout = 40ms}};
};

TEST_F(FollowingBodyTest, IsGatheredBeforeTheHandlerBegins) {
  add_echo(Flags::none);
  const auto asked = put("echo", 5);
  asked.control->body_data("ab");
  EXPECT_EQ(asked->body_consumed_bytes(), 2U);
  asked.control->body_data("cde");
  EXPECT_EQ(asked->body_consumed_bytes(), 5U);
  EXPECT_EQ(ran_, 0);
  EXPECT_FALSE(asked->done());
  asked.control->body_end();
  EXPECT_EQ(asked->body(), "abcde");
  asked.control->body_data("late");
  asked.control->body_end();
  EXPECT_EQ(ran_, 1);
}

TEST_F(FollowingBodyTest, IsGatheredForBlockingMethodsToo) {
  add_echo(Flags::blocking);
  const auto asked = put("echo");
  asked.control->body_data("ab");
  asked.control->body_end();
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->body(), "ab");
}

TEST_F(FollowingBodyTest, MayBeEmpty) {
  add_echo(Flags::none);
  const auto asked = put("echo", 0);
  asked.control->body_end();
  EXPECT_TRUE(asked->done());
  EXPECT_EQ(ran_, 1);
}

TEST_F(FollowingBodyTest, IsRefusedAtOnceWhenItIsAnnouncedTooLarge) {
  add_echo(Flags::none);
  EXPECT_FALSE(put("echo", 100)->done());
  const auto asked = put("echo", 101);
  EXPECT_EQ(asked->error(), Errc::body_too_large);
  EXPECT_NE(asked->failure()->detail.find("101 bytes; 100 are taken"), std::string::npos);
  EXPECT_EQ(ran_, 0);
}

TEST_F(FollowingBodyTest, IsRefusedWhenItGrowsTooLarge) {
  add_echo(Flags::none);
  const auto asked = put("echo");
  asked.control->body_data(std::string(100, 'x'));
  EXPECT_FALSE(asked->done());
  asked.control->body_data("y");
  EXPECT_EQ(asked->error(), Errc::body_too_large);
  EXPECT_EQ(dispatcher_.in_flight(), 0U);
}

TEST_F(FollowingBodyTest, AllTogetherAreBoundedAndGiveBackWhatTheyHeld) {
  add_echo(Flags::none);
  {
    const auto first = put("echo");
    const auto second = put("echo");
    first.control->body_data(std::string(100, 'x'));
    second.control->body_data(std::string(51, 'x'));
    EXPECT_EQ(second->error(), Errc::overloaded);
    first.control->body_end();
    EXPECT_EQ(first->body().size(), 100U);
  }
  const auto third = put("echo");
  third.control->body_data(std::string(100, 'x'));
  third.control->body_end();
  EXPECT_EQ(third->body().size(), 100U);
}

TEST_F(FollowingBodyTest, ThatStopsComingEndsTheCall) {
  add_echo(Flags::none);
  const auto asked = put("echo");
  const auto asked_at = pipe::Clock::now();
  asked.control->body_data("ab");
  ASSERT_TRUE(asked->wait_done());
  EXPECT_GE(pipe::Clock::now() - asked_at, 40ms);
  EXPECT_EQ(asked->error(), Errc::deadline_exceeded);
  EXPECT_NE(asked->failure()->detail.find("sent nothing more of the request's body"),
            std::string::npos);
  EXPECT_EQ(ran_, 0);
}

TEST_F(FollowingBodyTest, ThatIsThereIsNoReasonToHurryTheHandler) {
  std::promise<Responder> kept;
  dispatcher_.add("put", "later", Flags::none, [&](const Invocation&, Responder& responder) {
    kept.set_value(std::move(responder));
  });
  const auto asked = put("later");
  asked.control->body_end();
  auto responder = kept.get_future().get();
  const auto hasty = put("later", std::nullopt, 80ms);  // ends after two body timeouts
  ASSERT_TRUE(hasty->wait_done());
  EXPECT_FALSE(asked->done());
  EXPECT_EQ(responder.reply({}, "in time"), Answer::ok);
}

TEST_F(FollowingBodyTest, SaysWhoRanOutOfTime) {
  Dispatcher dispatcher({.workers = 1});
  std::promise<void> entered;
  std::promise<void> leave;
  dispatcher.add("put", "slow", Flags::blocking, [&](const Invocation&, Responder&) {
    entered.set_value();
    leave.get_future().wait_for(kPatience);
  });
  const auto why = [&](bool body_follows, bool has_run) {
    auto event = make_event("put", "slow");
    event.body_follows = body_follows;
    event.deadline = pipe::Clock::now() + 20ms;
    const auto asked = ask(dispatcher, std::move(event));
    EXPECT_TRUE(asked->wait_done());
    EXPECT_EQ(asked->error(), Errc::deadline_exceeded);
    EXPECT_EQ(asked->failure()->has_not_run, !has_run);
    return asked->failure()->detail;
  };
  EXPECT_EQ(why(true, false), "the call's time ran out while the request's body was read");
  EXPECT_EQ(why(false, true), "the call's time ran out in its handler put_slow");
  entered.get_future().wait();
  EXPECT_EQ(why(false, false), "the call's time ran out while it waited for a worker");
  leave.set_value();
  EXPECT_EQ(dispatcher.stop(kPatience), 0U);
}

TEST_F(FollowingBodyTest, ForAMethodThatDoesNotExistIsIgnored) {
  const auto asked = put("nope");
  EXPECT_EQ(asked->head().code, pipe::kCodeNoSuchMethod);
  asked.control->body_data("x");
  asked.control->body_end();
}

/// A handler that keeps its responder, and a caller that sends to it.
class ReadBodyTest : public testing::Test {
 protected:
  ReadBodyTest() {
    dispatcher_.add("put", "read", Flags::body_stream,
                    [this](const Invocation& asked, Responder& responder) {
                      EXPECT_EQ(asked.body, "");
                      responder_.emplace(std::move(responder));
                    });
  }
  Asked put(bool follows, std::string body = {}) {
    auto event = make_event("put", "read");
    event.body_follows = follows;
    return ask(dispatcher_, std::move(event), std::move(body));
  }
  std::string read(std::size_t size) {
    std::string to(size, '\0');
    const auto got = responder_->read(to.data(), size);
    last_ = got.status;
    to.resize(got.bytes);
    return to;
  }

  Dispatcher dispatcher_{{.workers = 2, .body_timeout = 40ms}};
  std::optional<Responder> responder_;
  Answer last_ = Answer::ok;
};

TEST_F(ReadBodyTest, BeginsAtOnceAndReadsWhatComes) {
  const auto asked = put(true);
  ASSERT_TRUE(responder_.has_value());
  EXPECT_EQ(read(8), "");
  EXPECT_EQ(last_, Answer::would_block);
  asked.control->body_data("abc");
  EXPECT_EQ(asked->body_consumed_bytes(), 0U);
  EXPECT_EQ(read(2), "ab");
  asked.control->body_data("defg");
  EXPECT_EQ(read(8), "cdefg");
  EXPECT_EQ(asked->body_consumed_bytes(), 7U);
  asked.control->body_end();
  EXPECT_EQ(read(8), "");
  EXPECT_EQ(last_, Answer::body_ended);
  EXPECT_EQ(responder_->reply({}, "all"), Answer::ok);
  read(8);
  EXPECT_EQ(last_, Answer::answered);
  EXPECT_EQ(asked->body(), "all");
}

TEST_F(ReadBodyTest, ReadsABodyThatCameWithItsEvent) {
  const auto asked = put(false, "abc");
  EXPECT_EQ(read(2), "ab");
  EXPECT_EQ(read(2), "c");
  read(2);
  EXPECT_EQ(last_, Answer::body_ended);
  EXPECT_EQ(asked->body_consumed_bytes(), 0U) << "none of it was sent by body_data()";
  responder_->reply({}, "");
}

TEST_F(ReadBodyTest, ACallerThatLeavesBreaksTheBody) {
  const auto asked = put(true);
  asked.control->body_data("abc");
  asked.control->cancel();
  read(8);
  EXPECT_EQ(last_, Answer::body_broken);
  EXPECT_TRUE(responder_->is_cancelled());
}

TEST_F(ReadBodyTest, MoreThanTheWindowEndsTheCall) {
  const auto asked = put(true);
  asked.control->body_data(std::string(pipe::kStreamWindowBytes, 'x'));
  EXPECT_FALSE(asked->done());
  asked.control->body_data("y");
  EXPECT_EQ(asked->error(), Errc::protocol_violation);
}

TEST_F(ReadBodyTest, ASlowReaderIsNotTheCallersFault) {
  const auto asked = put(true);
  asked.control->body_data("abc");
  std::this_thread::sleep_for(150ms);  // nothing may happen in it: there is nothing to await
  EXPECT_FALSE(asked->done());
  EXPECT_EQ(read(8), "abc");
  ASSERT_TRUE(asked->wait_done()) << "now the caller owes the next bytes";
  EXPECT_EQ(asked->error(), Errc::deadline_exceeded);
  read(8);
  EXPECT_EQ(last_, Answer::body_broken);
}

TEST_F(ReadBodyTest, TellsWhenThereIsSomethingToRead) {
  const auto asked = put(true);
  int told = 0;
  responder_->on_readable([&] { ++told; });
  EXPECT_EQ(told, 0);
  asked.control->body_data("a");
  asked.control->body_data("b");
  EXPECT_EQ(told, 1) << "once for each time that it is asked";
  responder_->on_readable([&] { ++told; });
  EXPECT_EQ(told, 2) << "at once";
  EXPECT_EQ(read(8), "ab");
  responder_->on_readable([&] { ++told; });
  asked.control->body_end();
  EXPECT_EQ(told, 3);
  responder_->on_readable([&] { ++told; });
  responder_->reply({}, "");
}

TEST_F(ReadBodyTest, IsForMethodsThatAreRegisteredSo) {
  dispatcher_.add("put", "whole", Flags::none, [](const Invocation&, Responder& responder) {
    char byte = 0;
    EXPECT_EQ(responder.read(&byte, 1).status, Answer::invalid);
    responder.reply({}, "");
  });
  EXPECT_TRUE(ask(dispatcher_, "put", "whole")->done());
}

TEST(ReadBodyThreadTest, AWaitingReaderGetsAllOfALargeBody) {
  Dispatcher dispatcher({.workers = 1});
  constexpr std::size_t kTotal = 8 * 1024 * 1024;
  dispatcher.add("put", "count", Flags::blocking | Flags::body_stream,
                 [](const Invocation&, Responder& responder) {
                   std::string buffer(10'000, '\0');
                   std::size_t total = 0;
                   for (;;) {
                     const auto got = responder.read(buffer.data(), buffer.size(), kPatience);
                     total += got.bytes;
                     if (got.status != Answer::ok) break;
                   }
                   responder.reply({}, std::to_string(total));
                 });
  auto event = make_event("put", "count");
  event.body_follows = true;
  const auto asked = ask(dispatcher, std::move(event));
  for (std::size_t sent = 0; sent < kTotal;) {
    ASSERT_TRUE(asked->wait_body_consumed(
        sent < pipe::kStreamWindowBytes / 2 ? 0 : sent - pipe::kStreamWindowBytes / 2));
    const std::string piece(std::min<std::size_t>(50'000, kTotal - sent), 'x');
    sent += piece.size();
    asked.control->body_data(piece);
  }
  asked.control->body_end();
  ASSERT_TRUE(asked->wait_done());
  EXPECT_EQ(asked->body(), std::to_string(kTotal));
  EXPECT_EQ(dispatcher.stop(kPatience), 0U);
}

TEST(ReplyTimesTest, SayWhereTheTimeWent) {
  Dispatcher dispatcher({.workers = 1});
  dispatcher.add("put", "later", Flags::none, [](const Invocation&, Responder& responder) {
    std::this_thread::sleep_for(3ms);
    responder.reply({}, "");
  });
  dispatcher.add("get", "oops", Flags::none,
                 [](const Invocation&, Responder&) { throw std::runtime_error("x"); });
  auto event = make_event("put", "later");
  event.body_follows = true;
  const auto asked = ask(dispatcher, std::move(event));
  std::this_thread::sleep_for(2ms);
  asked.control->body_end();
  EXPECT_GE(asked->head().queued, 2ms);
  EXPECT_GE(asked->head().handled, 3ms);
  EXPECT_LT(ask(dispatcher, "get", "oops")->head().handled, 1min);
}

TEST(ByteBudgetTest, TakesUpToItsLimit) {
  ByteBudget budget(10);
  EXPECT_TRUE(budget.try_take(10));
  EXPECT_FALSE(budget.try_take(1));
  budget.give_back(4);
  EXPECT_FALSE(budget.try_take(5));
  EXPECT_TRUE(budget.try_take(4));
}

}  // namespace
}  // namespace rp::handlers
