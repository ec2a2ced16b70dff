#include "pipe/core/session.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/pipe/memory_pipe.h"

namespace rp::pipe {
namespace {

using namespace test;
using Received = FakeTarget::Received;

void answer_with_noun(Received& call) { call.sink->reply({}, call.event.noun); }

ReplyHead typed(std::string content_type) {
  ReplyHead head;
  head.content_type = std::move(content_type);
  return head;
}

/// `bytes` in which no part looks like another.
std::string pattern(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

TEST(SessionTest, OpensOnBothSidesWhenHelloHasBeenExchanged) {
  MemoryPipe pipe;
  EXPECT_EQ(pipe.dialler.opened, 1);
  EXPECT_EQ(pipe.acceptor.opened, 1);
  EXPECT_TRUE(pipe.dialler.session().is_open());
  EXPECT_EQ(pipe.dialler.session().peer().node, "acceptor");
  EXPECT_EQ(pipe.acceptor.session().peer().node, "dialler");
}

TEST(SessionTest, RefusesCallsBeforeItIsOpen) {
  End lonely(Session::Side::dialler, {}, {}, Clock::time_point{});
  const auto sink = lonely.call(event(), "", Clock::time_point{});
  EXPECT_EQ(lonely.last_refusal(), Errc::peer_unavailable);
  EXPECT_EQ(sink->endings, 0);
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
  pipe.acceptor.target.answer = [](Received& call) { call.sink->reply({}, call.body); };
  const std::string body = pattern(100'000, 1);
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

class SessionBodies : public ::testing::TestWithParam<std::size_t> {};

TEST_P(SessionBodies, ArriveWholeBothWays) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = [](Received& call) { call.sink->reply({}, call.body + "!"); };
  const std::string body = pattern(GetParam(), 2);
  const auto sink = pipe.dialler.call(event(), body, pipe.now);
  pipe.settle();
  ASSERT_TRUE(sink->answered());
  EXPECT_TRUE(sink->body == body + "!");
  EXPECT_EQ(sink->begun, body.size() + 1 > Limits::kInlineBodyBytesMax);
  if (sink->begun) {
    EXPECT_EQ(sink->head->body_bytes, body.size() + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(AtTheEdges, SessionBodies,
                         ::testing::Values(0, 1, 16384, 65534, 65535, 65536, 65537, 65536 + 16384,
                                           131072, 262143, 262144, 262145, 1'000'003));

TEST(SessionTest, CarriesTenMegabytesBothWaysAtOnce) {
  MemoryPipe pipe;
  const std::string up = pattern(10 << 20, 3);
  const std::string down = pattern(10 << 20, 4);
  std::string got;
  pipe.acceptor.target.answer = [&](Received& call) {
    got = call.body;
    call.sink->reply({}, down);
  };
  std::string got_too;
  pipe.dialler.target.answer = [&](Received& call) {
    got_too = call.body;
    call.sink->reply({}, down);
  };
  const auto one = pipe.dialler.call(event(), up, pipe.now);
  const auto two = pipe.acceptor.call(event(), up, pipe.now);
  pipe.settle();
  ASSERT_TRUE(one->answered());
  ASSERT_TRUE(two->answered());
  EXPECT_TRUE(got == up);
  EXPECT_TRUE(got_too == up);
  EXPECT_TRUE(one->body == down);
  EXPECT_TRUE(two->body == down);
}

TEST(SessionTest, StreamsAReplyInPieces) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  Received& call = pipe.acceptor.target.received.at(0);
  call.sink->begin(typed("text/event-stream"));
  pipe.settle();
  EXPECT_TRUE(sink->begun);
  EXPECT_EQ(sink->head->body_bytes, std::nullopt);
  for (const char* piece : {"one ", "two ", "three"}) {
    call.sink->data(piece);
    pipe.settle();
  }
  EXPECT_EQ(sink->body, "one two three");
  EXPECT_EQ(call.control->consumed_bytes, 13U) << "the producer hears that its bytes have left";
  EXPECT_EQ(sink->endings, 0);
  call.sink->end();
  pipe.settle();
  EXPECT_TRUE(sink->answered());
}

TEST(SessionTest, StopsASenderWhoseReaderIsSlow) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now, /*consume=*/false);
  const CallTicket ticket = pipe.dialler.last_ticket();
  pipe.settle();
  Received& call = pipe.acceptor.target.received.at(0);
  call.sink->reply({}, std::string(1'000'000, 'r'));
  pipe.settle();
  EXPECT_EQ(sink->body.size(), Limits{}.stream_window_bytes);
  EXPECT_EQ(call.control->consumed_bytes, Limits{}.stream_window_bytes);
  pipe.dialler.session().consumed(ticket, Limits{}.stream_window_bytes / 2);
  pipe.settle();
  EXPECT_EQ(sink->body.size(), Limits{}.stream_window_bytes * 3 / 2);
  while (sink->endings == 0) {
    pipe.dialler.session().consumed(ticket, 64 * 1024);
    pipe.settle();
  }
  EXPECT_EQ(sink->body.size(), 1'000'000U);
}

TEST(SessionTest, LetsSmallCallsPassAStalledReader) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = [](Received& call) {
    call.sink->reply({}, std::string(call.event.noun == "big" ? 1'000'000 : 10, 'r'));
  };
  const auto big = pipe.dialler.call(event("big"), "", pipe.now, /*consume=*/false);
  pipe.settle();
  const auto small = pipe.dialler.call(event("small"), "", pipe.now);
  pipe.settle();
  EXPECT_TRUE(small->answered());
  EXPECT_EQ(big->endings, 0);
}

/// How many body bytes the session's window lets through to a reader that consumes nothing.
std::size_t session_window_left(MemoryPipe& pipe) {
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  pipe.acceptor.target.answer = [](Received& call) {
    call.sink->reply({}, std::string(1 << 20, 'r'));
  };
  std::vector<CallTicket> tickets;
  for (int i = 0; i < 8; ++i) {
    sinks.push_back(pipe.dialler.call(event(), "", pipe.now, /*consume=*/false));
    tickets.push_back(pipe.dialler.last_ticket());
  }
  pipe.settle();
  std::size_t bytes = 0;
  for (const auto& sink : sinks) bytes += sink->body.size();
  for (const CallTicket& ticket : tickets) pipe.dialler.session().cancel(ticket);
  pipe.settle();
  return bytes;
}

Limits small_session_window() {
  Limits limits;
  limits.session_window_bytes = 1 << 20;  // half of what eight stream windows could hold
  return limits;
}

TEST(SessionTest, StopsAllBodiesAtTheWindowOfTheSession) {
  MemoryPipe pipe(small_session_window());
  EXPECT_EQ(session_window_left(pipe), 1U << 20);
}

TEST(SessionTest, LosesNoCreditToCancelledCalls) {
  MemoryPipe pipe(small_session_window());
  for (int i = 0; i < 50; ++i) {
    // More than half of the window comes back each time, though up to half may wait for its CREDIT.
    ASSERT_GT(session_window_left(pipe), (1U << 20) / 2) << "round " << i;
  }
}

TEST(SessionTest, LosesNoCreditToAnswersOfWhichNothingIsConsumed) {
  MemoryPipe pipe(small_session_window());
  pipe.acceptor.target.answer = [](Received& call) {
    call.sink->reply({}, std::string(200'000, 'r'));
  };
  for (int i = 0; i < 100; ++i) {
    const auto sink = pipe.dialler.call(event(), "", pipe.now, /*consume=*/false);
    pipe.settle();
    ASSERT_TRUE(sink->answered()) << i;
  }
}

TEST(SessionTest, LosesNoCreditToRequestsThatAreRefusedOrCancelledOnTheirWay) {
  Limits limits = small_session_window();
  limits.request_body_bytes_max = 300'000;
  MemoryPipe pipe(limits);
  for (int i = 0; i < 100; ++i) {
    const auto refused = pipe.dialler.call(event(), std::string(500'000, 'b'), pipe.now);
    pipe.settle();
    ASSERT_EQ(refused->failed_with(), Errc::body_too_large);
    pipe.dialler.call(event(), std::string(290'000, 'b'), pipe.now);
    // Half a body is on its way when the caller leaves.
    (void)pipe.acceptor.session().receive(pipe.dialler.produce(pipe.now), pipe.now);
    pipe.dialler.session().cancel(pipe.dialler.last_ticket());
    pipe.settle();
  }
  pipe.acceptor.target.answer = [](Received& call) { call.sink->reply({}, "ok"); };
  const auto sink = pipe.dialler.call(event(), std::string(300'000, 'b'), pipe.now);
  pipe.settle();
  EXPECT_TRUE(sink->answered());
}

TEST(SessionTest, RefusesABodyOverTheLimitAndGoesOn) {
  Limits limits;
  limits.request_body_bytes_max = 100'000;
  MemoryPipe pipe(limits);
  pipe.acceptor.target.answer = answer_with_noun;
  const auto at_limit = pipe.dialler.call(event("at"), std::string(100'000, 'b'), pipe.now);
  const auto over = pipe.dialler.call(event("over"), std::string(5'000'000, 'b'), pipe.now);
  pipe.settle();
  EXPECT_TRUE(at_limit->answered());
  EXPECT_EQ(over->failed_with(), Errc::body_too_large);
  EXPECT_NE(over->failure->detail.find("100000"), std::string::npos);
  EXPECT_TRUE(pipe.dialler.call(event("next"), "", pipe.now));
  EXPECT_FALSE(pipe.acceptor.ended());
}

TEST(SessionTest, RefusesBodiesThatAreTooMuchTogether) {
  Limits limits;
  limits.gathered_bytes_max = 150'000;
  MemoryPipe pipe(limits);
  const auto held = pipe.dialler.call(event(), std::string(100'000, 'b'), pipe.now);
  pipe.settle();
  const auto over = pipe.dialler.call(event(), std::string(60'000, 'b'), pipe.now);
  pipe.settle();
  EXPECT_EQ(over->failed_with(), Errc::overloaded);
  pipe.acceptor.target.received.at(0).sink->reply({}, "");
  pipe.settle();
  EXPECT_TRUE(held->answered());
  pipe.dialler.call(event(), std::string(60'000, 'b'), pipe.now);
  pipe.settle();
  EXPECT_EQ(pipe.acceptor.target.received.size(), 2U) << "room is there again";
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
  peer.open();
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

}  // namespace
}  // namespace rp::pipe
