#include "pipe/core/session.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/core/head.h"
#include "tests/pipe/memory_pipe.h"

namespace rp::pipe {
namespace {

using namespace test;
using Received = FakeTarget::Received;

void answer_with_noun(Received& call) { call.sink->reply({}, std::string(call.event.noun)); }

ReplyHead typed(std::string content_type) {
  ReplyHead head;
  head.content_type = std::move(content_type);
  return head;
}

TEST(SessionTest, IsOpenFromItsFirstLinkOn) {
  MemoryPipe pipe;
  EXPECT_TRUE(pipe.dialler.session().is_open());
  EXPECT_EQ(pipe.dialler.session().peer().software, "restpipe/test");
}

TEST(SessionTest, CarriesACallAndItsAnswerInBothDirections) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = [](Received& call) {
    EXPECT_EQ(call.origin.node, "peer");
    call.sink->reply({.code = 7, .content_type = "text/x", .headers = {{"a", "b"}}},
                     call.event.noun + "/" + call.body);
  };
  pipe.dialler.target.answer = answer_with_noun;
  const auto there = pipe.dialler.call(event("one"), "body", pipe.now);
  const auto back = pipe.acceptor.call(event("two"), "", pipe.now);
  pipe.settle();
  ASSERT_TRUE(there->answered());
  EXPECT_EQ(there->head->code, 7U);
  EXPECT_EQ(there->head->content_type, "text/x");
  EXPECT_EQ(there->head->headers, (Headers{{"a", "b"}}));
  EXPECT_EQ(there->body, "one/body");
  ASSERT_TRUE(back->answered());
  EXPECT_EQ(back->body, "two");
  EXPECT_EQ(pipe.dialler.session().stats().calls_out, 1U);
  EXPECT_EQ(pipe.dialler.session().stats().calls_in, 1U);
  EXPECT_EQ(pipe.dialler.session().stats().calls_out_in_flight, 0U);
}

TEST(SessionTest, WorksByteByByte) {
  MemoryPipe pipe;
  pipe.split(1);
  pipe.acceptor.target.answer = [](Received& call) { call.sink->reply({}, std::move(call.body)); };
  std::string body(100'000, 'b');
  for (std::size_t i = 0; i < body.size(); i += 101) body[i] = static_cast<char>(i);
  const auto sink = pipe.dialler.call(event(), body, pipe.now);
  pipe.settle();
  ASSERT_TRUE(sink->answered());
  EXPECT_TRUE(sink->body == body);
}

TEST(SessionTest, AnswersManyCallsInAnyOrder) {
  MemoryPipe pipe;
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 1000; ++i) {
    sinks.push_back(pipe.dialler.call(event(std::to_string(i)), "", pipe.now));
  }
  pipe.settle();
  auto& received = pipe.acceptor.target.received;
  ASSERT_EQ(received.size(), 1000U);
  for (std::size_t i = 0; i < 1000; ++i) EXPECT_EQ(received[i].event.noun, std::to_string(i));
  std::shuffle(received.begin(), received.end(), std::mt19937(5));
  for (Received& call : received) {
    answer_with_noun(call);
    pipe.settle();
  }
  for (std::size_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(sinks[i]->answered());
    EXPECT_EQ(sinks[i]->body, std::to_string(i));
  }
}

TEST(SessionTest, BringsAnswersHomeFromOtherThreads) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event("away"), "", pipe.now);
  pipe.settle();
  pipe.acceptor.home.set_away(true);
  answer_with_noun(pipe.acceptor.target.received.at(0));
  EXPECT_EQ(pipe.acceptor.session().stats().calls_in_in_flight, 1U);
  pipe.acceptor.home.set_away(false);
  pipe.settle();
  EXPECT_TRUE(sink->answered());
}

TEST(SessionTest, DropsAnswersThatComeAfterItsEnd) {
  MemoryPipe pipe;
  pipe.dialler.call(event(), "", pipe.now);
  pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  pipe.acceptor.home.set_away(true);
  answer_with_noun(pipe.acceptor.target.received.at(0));
  pipe.lose();
  pipe.acceptor.home.set_away(false);
  pipe.acceptor.home.run_posted();
  answer_with_noun(pipe.acceptor.target.received.at(1));
  EXPECT_EQ(pipe.acceptor.produce(pipe.now), "");
}

TEST(SessionTest, RefusesCallsOverThePeersLimit) {
  Limits few;
  few.calls_in_flight_max = 3;
  MemoryPipe pipe({}, few);
  for (int i = 0; i < 3; ++i) {
    pipe.dialler.call(event(), "", pipe.now);
    EXPECT_EQ(pipe.dialler.last_refusal(), error_code());
  }
  const auto fourth = pipe.dialler.call(event(), "", pipe.now);
  EXPECT_EQ(pipe.dialler.last_refusal(), Errc::overloaded);
  EXPECT_EQ(fourth->endings, 0);
  pipe.settle();
  answer_with_noun(pipe.acceptor.target.received.at(1));
  pipe.settle();
  pipe.dialler.call(event(), "", pipe.now);
  EXPECT_EQ(pipe.dialler.last_refusal(), error_code());
  pipe.settle();
  EXPECT_FALSE(pipe.acceptor.ended());
}

TEST(SessionTest, RefusesCallsWhileTheLinkTakesNothing) {
  Limits limits;
  limits.outbound_bytes_max = 100'000;
  MemoryPipe pipe(limits);
  pipe.dialler.call(event(), std::string(60'000, 'b'), pipe.now);
  pipe.dialler.call(event(), std::string(60'000, 'b'), pipe.now);
  EXPECT_EQ(pipe.dialler.last_refusal(), error_code());
  pipe.dialler.call(event(), "", pipe.now);
  EXPECT_EQ(pipe.dialler.last_refusal(), Errc::overloaded);
  pipe.settle();
  pipe.dialler.call(event(), "", pipe.now);
  EXPECT_EQ(pipe.dialler.last_refusal(), error_code());
}

TEST(SessionTest, RefusesAnEventThatTheWireCannotCarry) {
  MemoryPipe pipe;
  pipe.dialler.call(event("line\nbreak"), "", pipe.now);
  EXPECT_EQ(pipe.dialler.last_refusal(), Errc::malformed_frame);
  EXPECT_EQ(pipe.dialler.session().stats().calls_out_in_flight, 0U);
}

TEST(SessionTest, FailsACallWhoseReplyTheWireCannotCarry) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = [](Received& call) { call.sink->reply(typed("a\r\nb"), ""); };
  const auto whole = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  EXPECT_EQ(whole->failed_with(), Errc::handler_failed);
  pipe.acceptor.target.answer = [](Received& call) {
    ReplyHead head;
    head.headers = {{"Upper", ""}};
    call.sink->begin(std::move(head));
    call.sink->data("ignored");
    call.sink->end();
  };
  const auto streamed = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  EXPECT_EQ(streamed->failed_with(), Errc::handler_failed);
  EXPECT_FALSE(pipe.acceptor.ended());
}

TEST(SessionTest, CarriesAFailureBeforeAndAfterTheReplyHasBegun) {
  MemoryPipe pipe;
  const auto before = pipe.dialler.call(event(), "", pipe.now);
  const auto after = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  pipe.acceptor.target.received.at(0).sink->fail({Errc::unknown_peer, "no such node"});
  pipe.acceptor.target.received.at(1).sink->begin({});
  pipe.acceptor.target.received.at(1).sink->data(std::string(500'000, 'd'));
  pipe.acceptor.target.received.at(1).sink->fail({Errc::handler_failed, "it broke"});
  pipe.settle();
  EXPECT_EQ(before->failed_with(), Errc::unknown_peer);
  EXPECT_EQ(before->failure->detail, "no such node");
  EXPECT_FALSE(before->begun);
  EXPECT_TRUE(after->begun);
  EXPECT_EQ(after->failed_with(), Errc::handler_failed);
  EXPECT_EQ(after->failure->detail, "it broke");
}

TEST(SessionTest, CancelTellsTheHandlerAndNobodyElse) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  const CallTicket ticket = pipe.dialler.last_ticket();
  pipe.settle();
  Received& call = pipe.acceptor.target.received.at(0);
  pipe.dialler.session().cancel(ticket);
  pipe.settle();
  EXPECT_EQ(call.control->cancelled, 1);
  answer_with_noun(call);
  pipe.settle();
  EXPECT_EQ(sink->endings, 0);
  EXPECT_EQ(pipe.acceptor.session().stats().calls_in_in_flight, 0U);
  EXPECT_EQ(pipe.dialler.session().stats().calls_out_in_flight, 0U);
  EXPECT_EQ(pipe.dialler.session().stats().stray_frames, 0U);
}

TEST(SessionTest, CancelBeforeTheCallHasLeftNeverOvertakesIt) {
  MemoryPipe pipe;
  pipe.dialler.call(event(), std::string(300'000, 'b'), pipe.now);
  pipe.dialler.session().cancel(pipe.dialler.last_ticket());
  pipe.settle();
  EXPECT_TRUE(pipe.acceptor.target.received.empty());
  EXPECT_EQ(pipe.acceptor.session().stats().calls_in, 1U);
  EXPECT_EQ(pipe.acceptor.session().stats().calls_in_in_flight, 0U);
  EXPECT_EQ(pipe.acceptor.session().stats().stray_frames, 0U);
}

TEST(SessionTest, CancelStopsAStreamedReply) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now, /*consume=*/false);
  const CallTicket ticket = pipe.dialler.last_ticket();
  pipe.settle();
  Received& call = pipe.acceptor.target.received.at(0);
  call.sink->reply({}, std::string(1'000'000, 'r'));
  pipe.settle();
  pipe.dialler.session().cancel(ticket);
  pipe.settle();
  EXPECT_EQ(call.control->cancelled, 1);
  EXPECT_EQ(sink->endings, 0);
  EXPECT_EQ(pipe.acceptor.session().stats().calls_in_in_flight, 0U);
}

TEST(SessionTest, AnAnswerAndACancelMayCross) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  answer_with_noun(pipe.acceptor.target.received.at(0));
  pipe.dialler.session().cancel(pipe.dialler.last_ticket());
  pipe.settle();
  EXPECT_EQ(sink->endings, 0);
  EXPECT_EQ(pipe.dialler.session().stats().stray_frames, 1U);
  EXPECT_EQ(pipe.acceptor.session().stats().stray_frames, 1U);
  EXPECT_FALSE(pipe.dialler.ended());
}

TEST(SessionTest, LateCancelAndConsumedTouchNoOtherCallThatHasTheSameId) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = answer_with_noun;
  pipe.dialler.call(event("first"), "", pipe.now);
  const CallTicket first = pipe.dialler.last_ticket();
  pipe.settle();
  for (int i = 0; i < 65'534; ++i) {
    pipe.dialler.call(event("x"), "", pipe.now);
    pipe.settle();
  }
  const auto sink = pipe.dialler.call(event("last"), "", pipe.now);
  EXPECT_EQ(pipe.dialler.last_ticket().id, first.id) << "the id has come round";
  pipe.dialler.session().cancel(first);
  pipe.settle();
  EXPECT_TRUE(sink->answered());
}

TEST(SessionTest, ALateAnswerDoesNotReachAnotherCallThatHasTheSameId) {
  LonePeer peer;
  ASSERT_EQ(peer.sends_call(kFirstId), error_code());
  const auto late = peer.end.target.received.at(0).sink;
  ASSERT_EQ(peer.sends(encode_cancel(kFirstId, 0, {Errc::cancelled, ""})), error_code());
  ASSERT_EQ(peer.sends_call(kFirstId), error_code());
  late->reply({}, "for the first call");
  EXPECT_TRUE(peer.says().empty());
  peer.end.target.received.at(1).sink->reply({}, "for the second");
  const auto said = peer.says();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].body(), "for the second");
}

TEST(SessionTest, SinksMayCallAgainFromInsideTheirAnswer) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = answer_with_noun;
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  std::function<void()> again = [&] {
    if (sinks.size() == 100) return;
    sinks.push_back(pipe.dialler.call(event(std::to_string(sinks.size())), "", pipe.now));
    sinks.back()->on_ending = again;
  };
  again();
  pipe.settle();
  ASSERT_EQ(sinks.size(), 100U);
  EXPECT_TRUE(sinks.back()->answered());
}

TEST(SessionTest, SinksMayCancelFromInsideTheirData) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = [](Received& call) {
    call.sink->reply({}, std::string(100'000, 'r'));
  };
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  const CallTicket ticket = pipe.dialler.last_ticket();
  sink->on_data = [&](std::size_t) { pipe.dialler.session().cancel(ticket); };
  pipe.settle();
  EXPECT_EQ(sink->body.size(), 16'384U);
  EXPECT_EQ(sink->endings, 0);
}

/// How many replies a session hands over in the midst of a burst of calls, batch by batch; what is
/// left afterwards comes last.
std::vector<std::size_t> replies_to_burst(CallId calls) {
  LonePeer peer;
  peer.end.target.answer = [](Received& call) { call.sink->reply({}, std::move(call.body)); };
  std::vector<std::size_t> batches;
  const auto batch = [&] {
    const auto said = peer.says();
    batches.push_back(
        static_cast<std::size_t>(std::count_if(said.begin(), said.end(), [](const SentFrame& f) {
          return f.type() == FrameType::reply;
        })));
  };
  peer.end.on_batch = batch;
  std::string burst;
  for (CallId id = kFirstId; id < kFirstId + calls; ++id) {
    append_call(event(), std::string(100, 'b'), /*whole=*/true, id, peer.now, burst);
  }
  EXPECT_EQ(peer.sends(burst), error_code());
  batch();
  return batches;
}

TEST(SessionTest, HandsHalfOfABurstOverBeforeItWorksOnTheRest) {
  for (const CallId calls : {64U, 200U, 1000U}) {
    const auto batches = replies_to_burst(calls);
    ASSERT_EQ(batches.size(), 2U) << calls;
    EXPECT_EQ(batches[0] + batches[1], calls);
    EXPECT_GT(batches[0], calls / 3);
    EXPECT_GT(batches[1], calls / 3);
  }
}

TEST(SessionTest, KeepsASmallBurstTogether) {
  EXPECT_EQ(replies_to_burst(1), std::vector<std::size_t>{1});
  EXPECT_EQ(replies_to_burst(40), std::vector<std::size_t>{40});
}

}  // namespace
}  // namespace rp::pipe
