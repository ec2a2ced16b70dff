#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/core/session.h"
#include "tests/pipe/memory_pipe.h"

/// What becomes of a call, in each of its states, when its session is lost or its time runs out.
namespace rp::pipe {
namespace {

using namespace test;
using Received = FakeTarget::Received;

// ---- The loss of a session, by the state of the call -------------------------------------------

TEST(SessionLossTest, ACallThatWasNotWrittenHasNotRun) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.lose();
  EXPECT_EQ(sink->failed_with(), Errc::not_sent);
}

TEST(SessionLossTest, ACallThatWasNotWrittenComesBackWhole) {
  MemoryPipe pipe;
  Event e = event("cat//a/b");
  e.deadline = pipe.now + 5s;
  e.headers = {{"accept", "text/plain"}};
  const auto small = pipe.dialler.call(e, "small", pipe.now);
  const auto large = pipe.dialler.call(event("large"), std::string(300'000, 'b'), pipe.now);
  Event following = event("following");
  following.body_follows = true;
  const auto open = pipe.dialler.call(following, "", pipe.now);
  const CallTicket ticket = pipe.dialler.last_ticket();
  pipe.dialler.session().body_data(ticket, "one ");
  pipe.dialler.session().body_data(ticket, "two");
  const auto cancelled = pipe.dialler.call(event("cancelled"), "", pipe.now);
  pipe.dialler.session().cancel(pipe.dialler.last_ticket());
  pipe.lose();

  ASSERT_TRUE(small->returned);
  EXPECT_EQ(small->returned->noun, "cat//a/b");
  EXPECT_EQ(small->returned->headers, e.headers);
  EXPECT_EQ(small->returned->deadline, e.deadline);
  EXPECT_FALSE(small->returned->body_follows);
  EXPECT_EQ(small->returned_body, "small");
  ASSERT_TRUE(large->returned);
  EXPECT_FALSE(large->returned->body_follows);
  EXPECT_EQ(large->returned_body.size(), 300'000U);
  ASSERT_TRUE(open->returned);
  EXPECT_TRUE(open->returned->body_follows) << "its end has not come yet";
  EXPECT_EQ(open->returned_body, "one two");
  EXPECT_FALSE(cancelled->returned);
  EXPECT_EQ(cancelled->endings, 0);
}

TEST(SessionLossTest, ACallThatWasWrittenMayHaveRun) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  (void)pipe.dialler.produce(pipe.now);
  pipe.lose();
  EXPECT_EQ(sink->failed_with(), Errc::session_lost);
}

TEST(SessionLossTest, ACallBehindAFullBatchHasNotRun) {
  MemoryPipe pipe;
  const auto first = pipe.dialler.call(event("first"), std::string(60'000, 'b'), pipe.now);
  const auto second = pipe.dialler.call(event("second"), "", pipe.now);
  (void)pipe.dialler.produce(pipe.now, 1000);
  pipe.lose();
  EXPECT_EQ(first->failed_with(), Errc::session_lost);
  EXPECT_EQ(second->failed_with(), Errc::not_sent);
}

TEST(SessionLossTest, ACallWhoseBodyWasHalfWrittenMayHaveRun) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), std::string(1'000'000, 'b'), pipe.now);
  (void)pipe.dialler.produce(pipe.now);
  pipe.lose();
  EXPECT_EQ(sink->failed_with(), Errc::session_lost);
}

TEST(SessionLossTest, ACallWhoseHandlerRunsIsLostAndItsHandlerTold) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  pipe.lose();
  EXPECT_EQ(sink->failed_with(), Errc::session_lost);
  EXPECT_EQ(pipe.acceptor.target.received.at(0).control->cancelled, 1);
}

TEST(SessionLossTest, AReplyThatStreamsBreaksOff) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  Received& call = pipe.acceptor.target.received.at(0);
  call.sink->begin({});
  call.sink->data("some");
  pipe.settle();
  pipe.lose();
  EXPECT_EQ(sink->body, "some");
  EXPECT_EQ(sink->failed_with(), Errc::session_lost);
  EXPECT_EQ(call.control->cancelled, 1);
}

TEST(SessionLossTest, AnAnsweredCallStaysAnswered) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  pipe.acceptor.target.received.at(0).sink->reply({}, "ok");
  pipe.settle();
  pipe.lose();
  EXPECT_TRUE(sink->answered());
  EXPECT_EQ(pipe.acceptor.target.received.at(0).control->cancelled, 0);
}

TEST(SessionLossTest, ARequestThatIsStillGatheredNeverRuns) {
  MemoryPipe pipe;
  pipe.dialler.call(event(), std::string(1'000'000, 'b'), pipe.now);
  (void)pipe.acceptor.session().receive(pipe.dialler.produce(pipe.now), pipe.now);
  EXPECT_EQ(pipe.acceptor.session().stats().calls_in_in_flight, 1U);
  pipe.lose();
  EXPECT_TRUE(pipe.acceptor.target.received.empty());
  EXPECT_EQ(pipe.acceptor.session().stats().calls_in_in_flight, 0U);
}

TEST(SessionLossTest, CallsMadeAfterTheEndAreRefused) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  error_code inside;
  sink->on_ending = [&] {
    pipe.dialler.call(event(), "", pipe.now);
    inside = pipe.dialler.last_refusal();
  };
  pipe.lose();
  EXPECT_EQ(inside, Errc::peer_unavailable);
  pipe.dialler.session().cancel(pipe.dialler.last_ticket());
  pipe.dialler.session().end(pipe.now);
  EXPECT_EQ(sink->endings, 1);
}

// ---- Deadlines ---------------------------------------------------------------------------------

Event event_for(Clock::time_point deadline) {
  Event e = event();
  e.deadline = deadline;
  return e;
}

TEST(SessionDeadlineTest, FailsACallExactlyInTimeAndTellsTheHandler) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event_for(pipe.now + 3s), "", pipe.now);
  pipe.settle();
  EXPECT_EQ(pipe.acceptor.target.received.at(0).event.deadline, pipe.now + 3s - 50ms);
  pipe.advance(2999ms);
  EXPECT_EQ(sink->endings, 0);
  pipe.advance(1ms);
  EXPECT_EQ(sink->failed_with(), Errc::deadline_exceeded);
  EXPECT_EQ(pipe.acceptor.target.received.at(0).control->cancelled, 1);
}

TEST(SessionDeadlineTest, LeavesTimeForTheWayBackOfAnAnswer) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event_for(pipe.now + 100ms), "", pipe.now);
  pipe.settle();
  auto& received = pipe.acceptor.target.received.at(0);
  EXPECT_EQ(received.event.deadline, pipe.now + 95ms);
  pipe.advance(95ms);
  received.sink->fail({Errc::deadline_exceeded, "whose time it was"});
  pipe.settle();
  EXPECT_EQ(sink->failed_with(), Errc::deadline_exceeded);
  EXPECT_EQ(sink->failure->detail, "whose time it was");
}

TEST(SessionDeadlineTest, FailsTheEarliestFirst) {
  MemoryPipe pipe;
  const auto late = pipe.dialler.call(event_for(pipe.now + 4s), "", pipe.now);
  const auto early = pipe.dialler.call(event_for(pipe.now + 1s), "", pipe.now);
  const auto none = pipe.dialler.call(event(), "", pipe.now);
  pipe.advance(1s);
  EXPECT_EQ(early->failed_with(), Errc::deadline_exceeded);
  EXPECT_EQ(late->endings, 0);
  pipe.advance(3s);
  EXPECT_EQ(late->failed_with(), Errc::deadline_exceeded);
  pipe.advance(1h);
  EXPECT_EQ(none->endings, 0);
}

TEST(SessionDeadlineTest, CutsAReplyThatHasBegun) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event_for(pipe.now + 1s), "", pipe.now);
  pipe.settle();
  pipe.acceptor.target.received.at(0).sink->begin({});
  pipe.advance(1s);
  EXPECT_TRUE(sink->begun);
  EXPECT_EQ(sink->failed_with(), Errc::deadline_exceeded);
}

TEST(SessionDeadlineTest, CoversABodyThatThePeerDoesNotTake) {
  MemoryPipe pipe;
  pipe.cut_to(pipe.acceptor);
  const auto sink =
      pipe.dialler.call(event_for(pipe.now + 1s), std::string(1 << 20, 'b'), pipe.now);
  pipe.advance(1s);
  EXPECT_EQ(sink->failed_with(), Errc::deadline_exceeded);
}

TEST(SessionDeadlineTest, ManyDeadlinesDoNotDisturbTheHeartbeat) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = [](Received& call) { call.sink->reply({}, ""); };
  for (int i = 0; i < 1000; ++i) {
    const auto sink = pipe.dialler.call(event_for(pipe.now + 7ms * (i % 13 + 1)), "", pipe.now);
    pipe.advance(3ms);
    ASSERT_TRUE(sink->answered());
  }
  EXPECT_EQ(pipe.dialler.pings, 0);
  pipe.advance(20s);
  EXPECT_GE(pipe.dialler.pings, 3);
}

}  // namespace
}  // namespace rp::pipe
