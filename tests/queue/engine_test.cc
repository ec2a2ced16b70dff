#include <string>

#include "tests/queue/jobs_channel.h"

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

class EngineTest : public JobsChannel {};

TEST_P(EngineTest, GivesBackWhatWasPutAsItWas) {
  std::string body(256, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i);
  put({.body = body,
       .content_type = "a/b",
       .priority = -7,
       .visibility = 3s,
       .deliveries_max = 4,
       .retention = 60s});
  engine_.advance(2s);
  const auto deliveries = engine_.take("jobs");
  ASSERT_EQ(deliveries.size(), 1u);
  const auto& message = deliveries[0].message;
  EXPECT_EQ(message.id, 1u);
  EXPECT_EQ(message.channel, "jobs");
  EXPECT_EQ(message.topic, "");
  EXPECT_EQ(message.body, body);
  EXPECT_EQ(message.content_type, "a/b");
  EXPECT_EQ(message.priority, -7);
  EXPECT_EQ(message.visibility, 3s);
  EXPECT_EQ(message.deliveries_max, 4u);
  EXPECT_EQ(message.retention, 60s);
  EXPECT_EQ(message.age, 2s);
  EXPECT_EQ(message.delivered, 1u);
  EXPECT_EQ(deliveries[0].lease_left, 3s);
}

TEST_P(EngineTest, KeepsBodiesOfEverySize) {
  for (const std::size_t size : {1'024u, 1'025u, 300'000u}) {
    put({.body = std::string(size, 'b')});
    const auto deliveries = engine_.take("jobs");
    ASSERT_EQ(deliveries.size(), 1u);
    EXPECT_EQ(deliveries[0].message.body, std::string(size, 'b'));
    EXPECT_EQ(engine_.stats("jobs").body_bytes, size);
    EXPECT_TRUE(engine_.ack(deliveries[0].lease));
  }
  EXPECT_EQ(engine_.stats("jobs").body_bytes, 0u);
}

TEST_P(EngineTest, DeliversLowerPrioritiesFirstAndEqualsInOrder) {
  put();
  put();
  put({.priority = std::numeric_limits<std::int64_t>::max()});
  put({.priority = -1});
  put({.priority = std::numeric_limits<std::int64_t>::min()});
  for (const MessageId expected : {5u, 4u, 1u, 2u, 3u, 0u}) EXPECT_EQ(take(), expected);
}

TEST_P(EngineTest, ReturnsAMessageToItsPlaceWhenTheLeaseEnds) {
  put({.visibility = 1s});
  put();
  EXPECT_EQ(take(), 1u);
  engine_.advance(999ms);
  EXPECT_EQ(engine_.stats("jobs").leased, 1u);
  engine_.advance(1ms);
  EXPECT_EQ(engine_.stats("jobs").ready, 2u);
  EXPECT_EQ(take({.lease = 5s}), 1u);
  engine_.advance(4'999ms);
  EXPECT_EQ(take(), 2u);
  EXPECT_EQ(take(), 0u);
  engine_.advance(1ms);
  EXPECT_EQ(take(), 1u);
}

TEST_P(EngineTest, RefusesTheLateAnswersOfAnEarlierConsumer) {
  put({.visibility = 1s});
  ASSERT_EQ(take(), 1u);
  const auto late = lease_;
  engine_.advance(1s);
  EXPECT_EQ(code(engine_.ack(late)), Errc::stale_lease);
  ASSERT_EQ(take(), 1u);
  EXPECT_EQ(code(engine_.ack(late)), Errc::stale_lease);
  EXPECT_EQ(code(engine_.nack(late)), Errc::stale_lease);
  EXPECT_EQ(code(engine_.extend(late)), Errc::stale_lease);
  EXPECT_TRUE(engine_.ack(lease_));
  EXPECT_EQ(code(engine_.ack(lease_)), Errc::unknown_message);
}

TEST_P(EngineTest, RefusesALateAnswerAfterARestartToo) {
  put();
  ASSERT_EQ(take(), 1u);
  const auto late = lease_;
  ASSERT_TRUE(engine_.nack(lease_));
  ASSERT_EQ(take(), 1u);
  engine_.reopen();
  EXPECT_EQ(code(engine_.ack(late)), Errc::stale_lease);
  EXPECT_TRUE(engine_.ack(lease_));
}

TEST_P(EngineTest, NeverDeliversMoreOftenThanTheLimitNorAfterTheRetention) {
  put({.visibility = 1s, .deliveries_max = 1});
  put({.retention = 1s});
  ASSERT_EQ(take(), 1u);
  engine_.advance(1s);
  EXPECT_EQ(take(), 0u);
  EXPECT_EQ(engine_.stats("jobs").messages(), 0u);
  const auto counters = engine_.stats().counters;
  EXPECT_EQ(counters.expired, 1u);
  EXPECT_EQ(counters.dropped, 1u);
  EXPECT_EQ(counters.timed_out, 1u);
}

TEST_P(EngineTest, DropsALeasedMessageAtTheEndOfItsRetention) {
  put({.visibility = 10s, .retention = 1s});
  ASSERT_EQ(take(), 1u);
  engine_.advance(1s);
  EXPECT_EQ(code(engine_.ack(lease_)), Errc::unknown_message);
}

TEST_P(EngineTest, HidesAMessageForItsDelayOrUntilItsTime) {
  put({.delay = 2s});
  const auto at = std::chrono::time_point_cast<Milliseconds>(engine_.clock.wall()) + 1s;
  put({.at = at});
  put({.at = at - 1h});
  EXPECT_EQ(engine_.stats("jobs").delayed, 2u);
  EXPECT_EQ(take(), 3u);
  engine_.advance(1s);
  EXPECT_EQ(take(), 2u);
  EXPECT_EQ(take(), 0u);
  engine_.advance(1s);
  EXPECT_EQ(take(), 1u);
}

TEST_P(EngineTest, GivesANackedMessageBackAtOnceOrAfterADelay) {
  put();
  put();
  ASSERT_EQ(take(), 1u);
  EXPECT_TRUE(engine_.nack(lease_));
  ASSERT_EQ(take(), 1u);
  EXPECT_TRUE(engine_.nack(lease_, {.delay = 1s}));
  EXPECT_EQ(take(), 2u);
  engine_.advance(1s);
  const auto deliveries = engine_.take("jobs");
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(deliveries[0].message.delivered, 3u);
}

TEST_P(EngineTest, DoesNotCountADeliveryThatNobodySaw) {
  put({.deliveries_max = 1});
  ASSERT_EQ(take(), 1u);
  EXPECT_TRUE(engine_.nack(lease_, {.undelivered = true}));
  const auto deliveries = engine_.take("jobs");
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(deliveries[0].message.delivered, 1u);
}

TEST_P(EngineTest, KeepsATouchedMessageHiddenAndHidesAReadyOne) {
  put({.visibility = 1s});
  ASSERT_EQ(take(), 1u);
  for (int i = 0; i < 3; ++i) {
    engine_.advance(900ms);
    EXPECT_TRUE(i == 0 ? engine_.extend(lease_) : engine_.touch(1));
    EXPECT_EQ(take(), 0u);
  }
  EXPECT_TRUE(engine_.extend(lease_, 5s));
  engine_.advance(4'900ms);
  EXPECT_TRUE(engine_.ack(lease_));
  put({.visibility = 1s});
  EXPECT_TRUE(engine_.touch(2));
  EXPECT_EQ(take(), 0u);
  engine_.advance(1s);
  EXPECT_EQ(engine_.take("jobs")[0].message.delivered, 1u);
  EXPECT_EQ(code(engine_.touch(99)), Errc::unknown_message);
}

TEST_P(EngineTest, DeletesByIdInEveryState) {
  put();
  put({.delay = 1s});
  put({.body = std::string(5'000, 'x'), .priority = -1, .retention = 1h});
  ASSERT_EQ(take(), 3u);
  for (MessageId id = 1; id <= 3; ++id) {
    EXPECT_TRUE(engine_.remove(id)) << id;
    EXPECT_EQ(code(engine_.remove(id)), Errc::unknown_message);
  }
  EXPECT_EQ(engine_.stats("jobs").messages(), 0u);
  EXPECT_EQ(engine_.stats().all.body_bytes, 0u);
  engine_.advance(2h);
  EXPECT_EQ(take(), 0u);
}

TEST_P(EngineTest, NeverUsesAnIdTwice) {
  put();
  put();
  EXPECT_TRUE(engine_.remove(2));
  EXPECT_TRUE(engine_.remove(1));
  engine_.reopen();
  EXPECT_EQ(put(), 3u);
  EXPECT_EQ(engine_.purge("jobs"), 1u);
  engine_.reopen();
  EXPECT_EQ(put(), 4u);
}

TEST_P(EngineTest, RemembersHiddenMessagesWithTheirRemainingTime) {
  put({.visibility = 10s});
  put({.delay = 10s});
  put({.retention = 10s});
  ASSERT_EQ(take(), 1u);
  engine_.advance(4s);
  engine_.close();
  engine_.clock.advance(5s);
  engine_.open();
  EXPECT_EQ(engine_.list("jobs")[1].shown_in, 1s);
  EXPECT_EQ(engine_.stats("jobs").ready, 1u);
  engine_.advance(1s);
  EXPECT_EQ(take(), 1u);
  EXPECT_EQ(take(), 2u);
  EXPECT_EQ(take(), 0u);
}

TEST_P(EngineTest, IgnoresJumpsOfTheWallClockWhileItRuns) {
  put({.visibility = 10s});
  put({.retention = 10s});
  ASSERT_EQ(take(), 1u);
  engine_.clock.set_wall_forward(1h);
  engine_->wake();
  EXPECT_EQ(take(), 2u);
  EXPECT_EQ(take(), 0u);
  engine_.clock.set_wall_forward(-3h);
  engine_.advance(0ms);
  engine_.reopen();
  EXPECT_EQ(take(), 0u);
  engine_.advance(10s);
  EXPECT_EQ(take(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Stores, EngineTest, testing::Values(StoreKind::memory, StoreKind::rocks),
                         store_name);

}  // namespace
}  // namespace rp::queue
