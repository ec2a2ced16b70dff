#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/core/session.h"
#include "tests/pipe/memory_pipe.h"

/// Bodies of every size, and the credit that they cost and give back.
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

/// `bytes` in which no part looks like another.
std::string pattern(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
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

TEST(SessionBodiesTest, CarriesTenMegabytesBothWaysAtOnce) {
  MemoryPipe pipe;
  const std::string up = pattern(10 << 20, 3);
  const std::string down = pattern(10 << 20, 4);
  std::string got;
  pipe.acceptor.target.answer = [&](Received& call) {
    got = call.body;
    call.sink->reply({}, std::string(down));
  };
  std::string got_too;
  pipe.dialler.target.answer = [&](Received& call) {
    got_too = call.body;
    call.sink->reply({}, std::string(down));
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

TEST(SessionBodiesTest, StreamsAReplyInPieces) {
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

TEST(SessionBodiesTest, StopsASenderWhoseReaderIsSlow) {
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

TEST(SessionBodiesTest, GivesAFastReaderALargerWindow) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = [](Received& call) {
    call.sink->reply({}, std::string(2'000'000, 'r'));
  };
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  const CallTicket ticket = pipe.dialler.last_ticket();
  sink->on_data = [&](std::size_t bytes) {
    if (sink->body.size() < 1'000'000) pipe.dialler.session().consumed(ticket, bytes);
  };
  pipe.settle();
  EXPECT_GE(sink->body.size(), 1'000'000 + Limits::kStreamWindowBytesMax / 2);
  EXPECT_LE(sink->body.size(), 1'000'000 + Limits::kStreamWindowBytesMax + 16'384);
}

TEST(SessionBodiesTest, HoldsLittleForManyReadersThatAreStuck) {
  MemoryPipe pipe;
  pipe.acceptor.target.answer = [](Received& call) {
    call.sink->reply({}, std::string(1'000'000, 'r'));
  };
  std::vector<std::shared_ptr<RecordingSink>> stuck;
  for (int i = 0; i < 200; ++i) {
    stuck.push_back(pipe.dialler.call(event(), "", pipe.now, /*consume=*/false));
  }
  pipe.settle();
  const auto reads = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  EXPECT_TRUE(reads->answered());
}

TEST(SessionBodiesTest, LetsSmallCallsPassAStalledReader) {
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
  limits.stream_window_bytes = 256 * 1024;
  return limits;
}

TEST(SessionBodiesTest, StopsAllBodiesAtTheWindowOfTheSession) {
  MemoryPipe pipe(small_session_window());
  EXPECT_EQ(session_window_left(pipe), 1U << 20);
}

TEST(SessionBodiesTest, LosesNoCreditToCancelledCalls) {
  MemoryPipe pipe(small_session_window());
  for (int i = 0; i < 50; ++i) {
    // More than half of the window comes back each time, though up to half may wait for its CREDIT.
    ASSERT_GT(session_window_left(pipe), (1U << 20) / 2) << "round " << i;
  }
}

TEST(SessionBodiesTest, LosesNoCreditToAnswersOfWhichNothingIsConsumed) {
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

TEST(SessionBodiesTest, LosesNoCreditToRequestsThatAreRefusedOrCancelledOnTheirWay) {
  MemoryPipe pipe(small_session_window());
  for (int i = 0; i < 100; ++i) {
    pipe.acceptor.target.gathers = false;
    pipe.acceptor.target.answer = [](Received& call) {
      call.sink->fail({Errc::body_too_large, "too large"});
    };
    const auto refused = pipe.dialler.call(event(), std::string(500'000, 'b'), pipe.now);
    pipe.settle();
    ASSERT_EQ(refused->failed_with(), Errc::body_too_large);
    pipe.acceptor.target.gathers = true;
    pipe.acceptor.target.answer = nullptr;
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

// ---- Requests whose bodies follow -------------------------------------------------------------

Event following() {
  Event e = event("upload");
  e.body_follows = true;
  return e;
}

TEST(SessionUploadTest, ReachesTheTargetPieceByPiece) {
  MemoryPipe pipe;
  pipe.acceptor.target.gathers = false;
  Event e = following();
  e.body_bytes = 11;
  const auto sink = pipe.dialler.call(e, "", pipe.now);
  const CallTicket ticket = pipe.dialler.last_ticket();
  pipe.settle();
  Received& call = pipe.acceptor.target.received.at(0);
  EXPECT_TRUE(call.event.body_follows);
  EXPECT_EQ(call.event.body_bytes, 11U);
  for (const char* piece : {"one ", "two ", "end"}) {
    pipe.dialler.session().body_data(ticket, piece);
    pipe.settle();
  }
  EXPECT_EQ(call.control->body, "one two end");
  EXPECT_EQ(sink->body_consumed_bytes, 11U) << "the caller hears that its bytes have left";
  EXPECT_FALSE(call.control->body_ended);
  pipe.dialler.session().body_end(ticket);
  pipe.settle();
  EXPECT_TRUE(call.control->body_ended);
  call.sink->reply({}, "thanks");
  pipe.settle();
  EXPECT_TRUE(sink->answered());
}

TEST(SessionUploadTest, StopsAtTheWindowUntilTheTargetConsumes) {
  MemoryPipe pipe;
  pipe.acceptor.target.gathers = false;
  const auto sink = pipe.dialler.call(following(), "", pipe.now);
  const CallTicket ticket = pipe.dialler.last_ticket();
  for (int i = 0; i < 16; ++i) {
    pipe.dialler.session().body_data(ticket, std::string(64 * 1024, 'u'));
  }
  pipe.settle();
  Received& call = pipe.acceptor.target.received.at(0);
  EXPECT_EQ(call.control->body.size(), Limits{}.stream_window_bytes);
  EXPECT_EQ(sink->body_consumed_bytes, Limits{}.stream_window_bytes);
  call.sink->body_consumed(Limits{}.stream_window_bytes / 2);
  pipe.settle();
  EXPECT_EQ(call.control->body.size(), Limits{}.stream_window_bytes * 3 / 2);
}

TEST(SessionUploadTest, MayBeAnsweredBeforeItsEnd) {
  MemoryPipe pipe(small_session_window());
  pipe.acceptor.target.gathers = false;
  for (int i = 0; i < 20; ++i) {
    const auto sink = pipe.dialler.call(following(), "", pipe.now);
    const CallTicket ticket = pipe.dialler.last_ticket();
    pipe.dialler.session().body_data(ticket, std::string(100'000, 'u'));
    pipe.settle();
    pipe.acceptor.target.received.back().sink->reply({}, "enough");
    pipe.settle();
    ASSERT_TRUE(sink->answered()) << i;
    pipe.dialler.session().body_data(ticket, "to nobody");
    pipe.dialler.session().body_end(ticket);
    pipe.settle();
  }
  EXPECT_FALSE(pipe.acceptor.ended());
}

TEST(SessionUploadTest, StreamsBothWaysAtOnce) {
  MemoryPipe pipe;
  pipe.acceptor.target.gathers = false;
  const auto sink = pipe.dialler.call(following(), "", pipe.now);
  const CallTicket ticket = pipe.dialler.last_ticket();
  pipe.settle();
  Received& call = pipe.acceptor.target.received.at(0);
  call.sink->begin({});
  std::string expected;
  for (unsigned i = 0; i < 100; ++i) {
    const std::string piece = pattern(i * 997 + 1, i);
    expected += piece;
    pipe.dialler.session().body_data(ticket, std::string(piece));
    pipe.settle();
    call.sink->data(std::exchange(call.control->body, {}));
    call.sink->body_consumed(piece.size());
    pipe.settle();
  }
  pipe.dialler.session().body_end(ticket);
  pipe.settle();
  ASSERT_TRUE(call.control->body_ended);
  call.sink->end();
  pipe.settle();
  ASSERT_TRUE(sink->answered());
  EXPECT_TRUE(sink->body == expected);
}

TEST(SessionUploadTest, ASlowTargetStopsItsOwnCallOnly) {
  MemoryPipe pipe;
  pipe.acceptor.target.gathers = false;
  pipe.dialler.call(following(), "", pipe.now);
  const CallTicket stalled = pipe.dialler.last_ticket();
  pipe.dialler.session().body_data(stalled, std::string(1'000'000, 'u'));
  pipe.settle();
  pipe.acceptor.target.answer = answer_with_noun;
  const auto sink = pipe.dialler.call(event("small"), "", pipe.now);
  pipe.settle();
  EXPECT_EQ(sink->body, "small");
}

}  // namespace
}  // namespace rp::pipe
