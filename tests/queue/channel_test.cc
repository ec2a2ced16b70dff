#include "queue/channel.h"

#include <gtest/gtest.h>

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

class ChannelTest : public testing::Test {
 protected:
  Outcome put(Message message, Duration delay = 0s) {
    message.id = ++id_last_;
    message.body = "four";
    return channel_.put(std::move(message), delay, now_);
  }
  /// The id of the message taken, 0 if there was none.
  std::uint64_t take() {
    const auto delivery = channel_.take(now_);
    lease_ = delivery ? delivery->lease : 0;
    return delivery ? delivery->message.id : 0;
  }

  TimePoint now_{};
  std::uint64_t id_last_ = 0;
  std::uint64_t lease_ = 0;
  Channel channel_{{.messages_max = 4, .body_bytes_max = 12}};
};

TEST_F(ChannelTest, DeliversLowerPrioritiesFirstAndEqualsInOrder) {
  put({});
  put({.priority = -1});
  put({});
  EXPECT_EQ(take(), 2u);
  EXPECT_EQ(take(), 1u);
  EXPECT_EQ(take(), 3u);
  EXPECT_EQ(take(), 0u);
}

TEST_F(ChannelTest, RefusesWhatPassesTheByteLimitAndTakesAgainAfterARemoval) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(put({}), Outcome::done);
  EXPECT_EQ(put({}), Outcome::full);
  EXPECT_EQ(channel_.remove(1, now_), Outcome::done);
  EXPECT_EQ(channel_.remove(1, now_), Outcome::unknown);
  EXPECT_EQ(put({}), Outcome::done);
}

TEST_F(ChannelTest, CountsLeasedMessagesAgainstTheMessageLimit) {
  Channel channel({.messages_max = 1});
  EXPECT_EQ(channel.put({.id = 1}, 0s, now_), Outcome::done);
  ASSERT_TRUE(channel.take(now_));
  EXPECT_EQ(channel.put({.id = 2}, 0s, now_), Outcome::full);
}

TEST_F(ChannelTest, RefusesTheLateAckOfAnEarlierConsumer) {
  put({.visibility = 1s});
  ASSERT_EQ(take(), 1u);
  const auto late = lease_;
  now_ += 1s;
  EXPECT_EQ(channel_.ack(1, late, now_), Outcome::stale_lease);
  ASSERT_EQ(take(), 1u);
  EXPECT_EQ(channel_.ack(1, late, now_), Outcome::stale_lease);
  EXPECT_EQ(channel_.ack(1, lease_, now_), Outcome::done);
  EXPECT_EQ(channel_.stats(now_).body_bytes, 0u);
}

TEST_F(ChannelTest, NeverDeliversMoreOftenThanTheLimitNorAfterRetention) {
  put({.visibility = 1s, .deliveries_max = 1});
  put({.expires_at = now_ + 1s});
  ASSERT_EQ(take(), 1u);
  now_ += 1s;
  EXPECT_EQ(take(), 0u);
  const auto dead = channel_.collect_dead(now_);
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].delivered, 1u);
  EXPECT_TRUE(channel_.collect_dead(now_).empty());
  EXPECT_EQ(channel_.stats(now_).body_bytes, 0u);
  EXPECT_FALSE(channel_.next_change());
}

TEST_F(ChannelTest, ReturnsANackedMessageAheadOfYoungerOnesAfterItsDelay) {
  put({});
  put({});
  ASSERT_EQ(take(), 1u);
  EXPECT_EQ(channel_.nack(1, lease_, 1s, now_), Outcome::done);
  EXPECT_EQ(channel_.peek(0, 9, now_).size(), 1u);
  EXPECT_EQ(channel_.next_change(), now_ + 1s);
  now_ += 1s;
  EXPECT_EQ(take(), 1u);
}

TEST_F(ChannelTest, KeepsATouchedMessageHiddenAndADelayedOneToo) {
  put({.visibility = 2s});
  put({}, 4s);
  ASSERT_EQ(take(), 1u);
  now_ += 1s;
  EXPECT_EQ(channel_.touch(1, lease_, now_), Outcome::done);
  now_ += 1s;
  EXPECT_EQ(take(), 0u);
  EXPECT_EQ(channel_.stats(now_).hidden, 2u);
  now_ += 2s;
  EXPECT_EQ(take(), 1u);
  EXPECT_EQ(take(), 2u);
  EXPECT_EQ(channel_.purge(), 2u);
}

}  // namespace
}  // namespace rp::queue
