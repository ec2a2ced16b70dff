#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/core/session.h"
#include "tests/pipe/memory_pipe.h"

/// A link breaks and another takes its place: nobody who calls or answers notices.
namespace rp::pipe {
namespace {

using namespace test;
using Received = FakeTarget::Received;

constexpr std::size_t kAll = ~std::size_t{0};

TEST(SessionResumeTest, RepeatsACallThatGotLost) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event("lost"), "body", pipe.now);
  pipe.break_link();
  EXPECT_TRUE(pipe.acceptor.target.received.empty());
  EXPECT_EQ(sink->endings, 0);
  pipe.join();
  pipe.settle();
  ASSERT_EQ(pipe.acceptor.target.received.size(), 1U);
  pipe.acceptor.target.received[0].sink->reply({}, "found");
  pipe.settle();
  EXPECT_EQ(sink->body, "found");
}

TEST(SessionResumeTest, RunsACallOnceThatArrivedUnacknowledged) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.break_link(kAll);
  ASSERT_EQ(pipe.acceptor.target.received.size(), 1U);
  pipe.join();
  pipe.settle();
  EXPECT_EQ(pipe.acceptor.target.received.size(), 1U);
  pipe.acceptor.target.received[0].sink->reply({}, "once");
  pipe.settle();
  EXPECT_EQ(sink->body, "once");
}

TEST(SessionResumeTest, KeepsAnAnswerThatIsGivenWithoutALink) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  pipe.break_link();
  pipe.acceptor.target.received.at(0).sink->reply({}, std::string(500'000, 'r'));
  EXPECT_EQ(sink->endings, 0);
  pipe.join();
  pipe.settle();
  EXPECT_TRUE(sink->answered());
  EXPECT_EQ(sink->body.size(), 500'000U);
}

TEST(SessionResumeTest, ForgetsAFrameThatArrivedInPart) {
  for (std::size_t arrived = 0; arrived < 200; ++arrived) {
    MemoryPipe pipe;
    pipe.acceptor.target.answer = [](Received& call) {
      call.sink->reply({}, std::string(call.event.noun));
    };
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    for (const char* noun : {"one", "two", "three", "four"}) {
      sinks.push_back(pipe.dialler.call(event(noun), "", pipe.now));
    }
    pipe.break_link(arrived);
    pipe.join();
    pipe.settle();
    EXPECT_EQ(sinks[0]->body + sinks[1]->body + sinks[2]->body + sinks[3]->body, "onetwothreefour")
        << arrived;
  }
}

TEST(SessionResumeTest, GoesOnWithAStreamAtTheByte) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  std::string expected;
  for (int i = 0; i < 300'000; ++i) expected += std::to_string(i);
  pipe.acceptor.target.received.at(0).sink->reply({}, std::string(expected));
  for (std::size_t cut = 1; sink->endings == 0; cut = cut * 7 % 65'536 + 1) {
    pipe.break_link(kAll, cut);
    pipe.join();
    pipe.exchange(pipe.dialler, 64 * 1024, 64 * 1024);
    pipe.exchange(pipe.acceptor, 64 * 1024, 64 * 1024);
  }
  EXPECT_TRUE(sink->answered());
  EXPECT_TRUE(sink->body == expected);
  EXPECT_GT(pipe.dialler.session().stats().links, 10U);
}

TEST(SessionResumeTest, CancelsAcrossABreak) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  pipe.break_link();
  pipe.dialler.session().cancel(pipe.dialler.last_ticket());
  pipe.join();
  pipe.settle();
  EXPECT_EQ(pipe.acceptor.target.received.at(0).control->cancelled, 1);
  EXPECT_EQ(sink->endings, 0);
}

TEST(SessionResumeTest, KeepsDeadlinesWithoutALink) {
  MemoryPipe pipe;
  Event e = event();
  e.deadline = pipe.now + 3s;
  const auto sink = pipe.dialler.call(e, "", pipe.now);
  pipe.settle();
  pipe.break_link();
  EXPECT_EQ(pipe.dialler.session().wake_at(), e.deadline);
  pipe.advance(3s);
  EXPECT_EQ(sink->failed_with(), Errc::deadline_exceeded);
  pipe.join();
  pipe.settle();
  EXPECT_EQ(pipe.acceptor.target.received.at(0).control->cancelled, 1);
}

TEST(SessionResumeTest, TakesNoNewCallsWithoutALink) {
  MemoryPipe pipe;
  pipe.break_link();
  EXPECT_FALSE(pipe.dialler.session().is_open());
  pipe.dialler.call(event(), "", pipe.now);
  EXPECT_EQ(pipe.dialler.last_refusal(), Errc::peer_unavailable);
}

TEST(SessionResumeTest, BeginsItsHeartbeatAnew) {
  MemoryPipe pipe;
  pipe.settle();
  pipe.break_link();
  pipe.advance(1min);
  pipe.join();
  EXPECT_EQ(pipe.dialler.session().wake_at(), pipe.now + 5s);
  pipe.advance(1min);
  EXPECT_FALSE(pipe.dialler.ended());
  EXPECT_GE(pipe.dialler.pings, 11);
}

TEST(SessionResumeTest, LetsGoOfWhatIsAcknowledged) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = [](Received& call) {
    call.sink->reply({}, std::string(1'000'000, 'r'));
  };
  pipe.dialler.call(event(), std::string(1'000'000, 'b'), pipe.now);
  pipe.advance(1s);
  EXPECT_EQ(pipe.dialler.session().stats().unacknowledged_bytes, 0U);
  EXPECT_EQ(pipe.acceptor.session().stats().unacknowledged_bytes, 0U);
}

TEST(SessionResumeTest, StopsSendingToAPeerThatNeverAcknowledges) {
  Limits limits;
  limits.session_window_bytes = 100'000;
  Hello hello = LonePeer::default_hello();
  hello.session_window_bytes = 0x7fffffff;
  hello.stream_window_bytes = 0x7fffffff;
  LonePeer peer(Session::Side::acceptor, limits, {}, hello);
  peer.end.call(event(), std::string(1'000'000, 'b'), peer.now);
  std::size_t bytes = 0;
  const std::vector<SentFrame> said = peer.says();
  for (const SentFrame& f : said) bytes += f.payload.size();
  EXPECT_GE(bytes, 100'000U);
  EXPECT_LE(bytes, 100'000U + 2 * 65'536U);
  EXPECT_LE(peer.end.session().stats().unacknowledged_bytes, bytes + 1000);
  peer.sends(encode_ack(said.size()));
  EXPECT_FALSE(peer.says().empty());
}

TEST(SessionResumeTest, RefusesACountThatCannotBe) {
  MemoryPipe pipe;
  pipe.dialler.call(event(), "", pipe.now);
  pipe.dialler.call(event(), "", pipe.now);
  pipe.advance(1s);  // both are acknowledged
  for (const std::uint64_t lie : {std::uint64_t{1}, std::uint64_t{3}, ~std::uint64_t{0}}) {
    MemoryPipe fresh;
    const auto sink = fresh.dialler.call(event(), "", fresh.now);
    fresh.dialler.call(event(), "", fresh.now);
    fresh.advance(1s);
    fresh.break_link();
    EXPECT_EQ(fresh.dialler.session().attach(lie, fresh.now), Errc::protocol_violation) << lie;
    EXPECT_TRUE(fresh.dialler.session().is_over());
    const auto said = frames(fresh.dialler.produce(fresh.now));
    ASSERT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0].type(), FrameType::goodbye);
    fresh.dialler.end(Errc::protocol_violation, fresh.now);
    EXPECT_EQ(sink->failed_with(), Errc::session_lost);
  }
}

TEST(SessionResumeTest, IsOverOnceASideHasSaidGoodbye) {
  for (const bool acceptor_leaves : {false, true}) {
    MemoryPipe pipe;
    pipe.dialler.call(event(), "", pipe.now);
    pipe.settle();
    (acceptor_leaves ? pipe.acceptor : pipe.dialler)
        .session()
        .goodbye({Errc::draining, "bye"}, /*drain=*/true);
    pipe.settle();
    pipe.break_link();
    EXPECT_TRUE(pipe.dialler.session().is_over());
    EXPECT_TRUE(pipe.acceptor.session().is_over());
  }
}

TEST(SessionResumeTest, IsOverWhenItIsToldToLeaveWithoutALink) {
  MemoryPipe pipe;
  pipe.break_link();
  pipe.dialler.session().goodbye({Errc::draining, "bye"}, /*drain=*/true);
  EXPECT_TRUE(pipe.dialler.session().is_over());
}

}  // namespace
}  // namespace rp::pipe
