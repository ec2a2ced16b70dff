#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/core/session.h"
#include "tests/pipe/memory_pipe.h"

/// How a session begins, stays alive and takes its leave.
namespace rp::pipe {
namespace {

using namespace test;

// ---- Heartbeats --------------------------------------------------------------------------------

TEST(SessionHeartbeatTest, PingsAfterEachIntervalOfSilenceFromTheDiallerOnly) {
  MemoryPipe pipe;
  pipe.advance(4999ms);
  EXPECT_EQ(pipe.dialler.pings, 0);
  pipe.advance(1ms);
  EXPECT_EQ(pipe.dialler.pings, 1);
  ASSERT_EQ(pipe.dialler.pongs.size(), 1U);
  EXPECT_EQ(pipe.dialler.pongs[0], 0s);
  pipe.advance(5s);
  EXPECT_EQ(pipe.dialler.pings, 2);
  pipe.advance(10min);
  EXPECT_EQ(pipe.dialler.pings, 122);
  EXPECT_EQ(pipe.dialler.pongs.size(), 122U);
  EXPECT_EQ(pipe.acceptor.pings, 0) << "the dialler's heartbeats serve both";
  EXPECT_FALSE(pipe.acceptor.ended());
}

TEST(SessionHeartbeatTest, DeclaresASilentPeerDeadAfterIntervalAndTimeout) {
  MemoryPipe pipe;
  pipe.cut_to(pipe.dialler);
  pipe.advance(14'999ms);
  EXPECT_FALSE(pipe.dialler.ended());
  EXPECT_EQ(pipe.dialler.pings, 2);
  pipe.advance(1ms);
  EXPECT_EQ(pipe.dialler.why(), Errc::heartbeat_missed);
  EXPECT_EQ(pipe.acceptor.why(), Errc::link_lost) << "no GOODBYE: the session may go on";
}

TEST(SessionHeartbeatTest, AnAcceptorPingsWhenTheDiallerIsSilent) {
  LonePeer peer(Session::Side::acceptor);
  EXPECT_EQ(peer.end.session().wake_at(), peer.now + 7500ms);
  peer.now += 7500ms;
  EXPECT_EQ(peer.end.session().on_time(peer.now), error_code());
  const auto said = peer.says();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].type(), FrameType::ping);
  peer.now += 7499ms;
  EXPECT_EQ(peer.end.session().on_time(peer.now), error_code());
  peer.now += 1ms;
  EXPECT_EQ(peer.end.session().on_time(peer.now), Errc::heartbeat_missed);
  EXPECT_TRUE(peer.says().empty()) << "a GOODBYE would end the session at a peer that still hears";
}

TEST(SessionHeartbeatTest, AnyByteCountsAsLife) {
  LonePeer peer(Session::Side::acceptor);
  // A frame that never becomes whole: one byte every 14 s.
  const std::string data = frame(FrameType::data, 0, 1, std::string(1000, 'd'));
  for (std::size_t i = 0; i < 20; ++i) {
    peer.now += 14s;
    EXPECT_EQ(peer.sends(data.substr(i, 1)), error_code());
    EXPECT_EQ(peer.end.session().on_time(peer.now), error_code());
  }
}

TEST(SessionHeartbeatTest, AnswersPingAtOnceAndBeforeEverythingElse) {
  MemoryPipe pipe;
  pipe.acceptor.call(event(), std::string(1 << 20, 'b'), pipe.now);
  ASSERT_EQ(pipe.acceptor.session().receive(encode_ping(FrameType::ping, "abcdefgh"), pipe.now),
            error_code());
  const auto said = frames(pipe.acceptor.produce(pipe.now));
  EXPECT_EQ(said.at(0).type(), FrameType::pong);
  EXPECT_EQ(said.at(0).payload, "abcdefgh");
}

TEST(SessionHeartbeatTest, IgnoresAPongThatAnswersNoPing) {
  LonePeer peer(Session::Side::acceptor);
  EXPECT_EQ(peer.sends(encode_ping(FrameType::pong, std::string(8, '\0'))), error_code());
  EXPECT_EQ(peer.sends(encode_ping(FrameType::pong, std::string(8, '\xff'))), error_code());
  EXPECT_TRUE(peer.end.pongs.empty());
  peer.now += 8s;
  EXPECT_EQ(peer.end.session().on_time(peer.now), error_code());
  const std::string ping = peer.says().at(0).payload;
  peer.now += 25ms;
  EXPECT_EQ(peer.sends(encode_ping(FrameType::pong, ping)), error_code());
  EXPECT_EQ(peer.sends(encode_ping(FrameType::pong, ping)), error_code());
  EXPECT_EQ(peer.end.pongs, std::vector<Clock::duration>{25ms});
  EXPECT_EQ(peer.end.session().stats().round_trip, 25ms);
}

TEST(SessionHeartbeatTest, TakesTheIntervalsOfItsOptions) {
  MemoryPipe pipe(Limits{}, Heartbeat{.interval = 200ms, .timeout = 100ms});
  pipe.advance(1s);
  EXPECT_EQ(pipe.dialler.pings, 5);
  pipe.cut_to(pipe.dialler);
  pipe.advance(299ms);
  EXPECT_FALSE(pipe.dialler.ended());
  pipe.advance(1ms);
  EXPECT_EQ(pipe.dialler.why(), Errc::heartbeat_missed);
}

// ---- Acknowledgement ---------------------------------------------------------------------------

std::vector<std::uint64_t> acks(const std::vector<SentFrame>& said) {
  std::vector<std::uint64_t> counts;
  for (const SentFrame& f : said) {
    if (f.type() == FrameType::ack) counts.push_back(decode_ack(f.payload).value());
  }
  return counts;
}

TEST(SessionAckTest, LeavesAfter100Milliseconds) {
  LonePeer peer;
  peer.sends_call(0x00010000);
  peer.now += 60ms;
  peer.sends_call(0x00010001);
  EXPECT_EQ(acks(peer.says()), std::vector<std::uint64_t>{});
  EXPECT_EQ(peer.end.session().wake_at(), peer.now + 40ms);
  peer.now += 39ms;
  EXPECT_EQ(acks(peer.says()), std::vector<std::uint64_t>{});
  peer.now += 1ms;
  EXPECT_EQ(acks(peer.says()), std::vector<std::uint64_t>{2});
  peer.now += 1h;
  EXPECT_EQ(acks(peer.says()), std::vector<std::uint64_t>{}) << "nothing new, nothing said";
}

TEST(SessionAckTest, LeavesAfter32KiB) {
  LonePeer peer;
  peer.sends_call(0x00010000, "", /*whole=*/false);
  const std::string data = frame(FrameType::data, 0, 0x00010000, std::string(16'384, 'd'));
  peer.sends(data);
  EXPECT_EQ(acks(peer.says()), std::vector<std::uint64_t>{});
  peer.sends(data);
  EXPECT_EQ(acks(peer.says()), std::vector<std::uint64_t>{3});
}

TEST(SessionAckTest, CountsOnlyReliableFrames) {
  LonePeer peer;
  for (int i = 0; i < 10'000; ++i) peer.sends(encode_ping(FrameType::ping, "12345678"));
  peer.now += 1s;
  EXPECT_EQ(acks(peer.says()), std::vector<std::uint64_t>{});
  peer.sends_call(0x00010000);
  EXPECT_EQ(acks(peer.says()), std::vector<std::uint64_t>{}) << "bytes of pings do not hurry it";
}

// ---- GOODBYE -----------------------------------------------------------------------------------

TEST(SessionGoodbyeTest, WithoutDrainEndsBothSidesWithTheReason) {
  MemoryPipe pipe;
  const auto sink = pipe.acceptor.call(event(), "", pipe.now);
  pipe.settle();
  pipe.acceptor.session().goodbye({Errc::replaced, "a newer pipe"}, /*drain=*/false);
  pipe.settle();
  EXPECT_EQ(pipe.dialler.why(), Errc::replaced);
  EXPECT_EQ(pipe.dialler.session().end_detail(), "a newer pipe");
  EXPECT_EQ(sink->endings, 1);
  EXPECT_EQ(pipe.dialler.target.received.at(0).control->cancelled, 1);
}

TEST(SessionGoodbyeTest, WithoutDrainIsTheLastFrame) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), std::string(100'000, 'b'), pipe.now);
  pipe.dialler.session().goodbye({Errc::stopped, ""}, /*drain=*/false);
  const auto said = frames(pipe.dialler.produce(pipe.now));
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].type(), FrameType::goodbye);
  pipe.lose();
  EXPECT_EQ(sink->failed_with(), Errc::not_sent);
}

TEST(SessionGoodbyeTest, WithDrainLetsCallsOfBothSidesFinish) {
  MemoryPipe pipe;
  const auto ours = pipe.acceptor.call(event("ours"), "", pipe.now);
  const auto theirs = pipe.dialler.call(event("theirs"), "", pipe.now);
  pipe.settle();
  pipe.acceptor.session().goodbye({Errc::stopped, "bye"}, /*drain=*/true);
  pipe.settle();
  EXPECT_EQ(pipe.dialler.draining, 1);
  EXPECT_FALSE(pipe.dialler.session().is_open());
  EXPECT_FALSE(pipe.acceptor.session().drained());
  pipe.advance(30s);
  EXPECT_FALSE(pipe.acceptor.ended()) << "heartbeats keep a draining pipe alive";
  pipe.dialler.target.received.at(0).sink->reply({}, "1");
  pipe.acceptor.target.received.at(0).sink->reply({}, std::string(1 << 20, '2'));
  pipe.settle();
  EXPECT_TRUE(ours->answered());
  EXPECT_TRUE(theirs->answered());
  EXPECT_EQ(theirs->body.size(), 1U << 20);
  pipe.advance(100ms);
  EXPECT_EQ(pipe.acceptor.why(), Errc::draining);
}

TEST(SessionGoodbyeTest, WithDrainWaitsUntilThePeerHasEverything) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  pipe.acceptor.session().goodbye({Errc::stopped, ""}, /*drain=*/true);
  pipe.acceptor.target.received.at(0).sink->reply({}, "answer");
  pipe.settle();
  EXPECT_TRUE(sink->answered());
  EXPECT_FALSE(pipe.acceptor.session().drained()) << "the answer is not acknowledged";
  pipe.advance(99ms);
  EXPECT_FALSE(pipe.acceptor.ended());
  pipe.advance(1ms);
  EXPECT_EQ(pipe.acceptor.why(), Errc::draining);
}

TEST(SessionGoodbyeTest, WithDrainRefusesNewCallsOfBothSides) {
  MemoryPipe pipe;
  pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  pipe.acceptor.session().goodbye({Errc::stopped, ""}, /*drain=*/true);
  const auto crossed = pipe.dialler.call(event(), "", pipe.now);
  EXPECT_EQ(pipe.dialler.last_refusal(), error_code()) << "it has not heard yet";
  pipe.settle();
  EXPECT_EQ(crossed->failed_with(), Errc::draining);
  pipe.dialler.call(event(), "", pipe.now);
  EXPECT_EQ(pipe.dialler.last_refusal(), Errc::draining);
  pipe.acceptor.call(event(), "", pipe.now);
  EXPECT_EQ(pipe.acceptor.last_refusal(), Errc::draining);
}

TEST(SessionGoodbyeTest, AnIdlePipeDrainsAtOnce) {
  MemoryPipe pipe;
  pipe.dialler.session().goodbye({Errc::stopped, ""}, /*drain=*/true);
  pipe.settle();
  EXPECT_EQ(pipe.dialler.why(), Errc::draining);
  EXPECT_TRUE(pipe.acceptor.ended());
}

TEST(SessionGoodbyeTest, BothSidesMayDrainAtOnce) {
  MemoryPipe pipe;
  const auto sink = pipe.dialler.call(event(), "", pipe.now);
  pipe.settle();
  pipe.dialler.session().goodbye({Errc::stopped, ""}, /*drain=*/true);
  pipe.acceptor.session().goodbye({Errc::stopped, ""}, /*drain=*/true);
  pipe.settle();
  pipe.acceptor.target.received.at(0).sink->reply({}, "ok");
  pipe.advance(1s);
  EXPECT_TRUE(sink->answered());
  EXPECT_TRUE(pipe.dialler.ended());
  EXPECT_TRUE(pipe.acceptor.ended());
}

}  // namespace
}  // namespace rp::pipe
