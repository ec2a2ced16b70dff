#include "queue/topic_table.h"
#include "tests/queue/test_engine.h"

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

TEST(TopicFitsTest, KnowsNamesAndPatterns) {
  EXPECT_TRUE(topic_fits("a.b", "a.b"));
  EXPECT_FALSE(topic_fits("a.b", "a.c"));
  EXPECT_FALSE(topic_fits("a", "a.b"));
  EXPECT_FALSE(topic_fits("a.b", "a"));
  EXPECT_TRUE(topic_fits("*.b", "a.b"));
  EXPECT_TRUE(topic_fits("a.*", "a."));
  EXPECT_FALSE(topic_fits("a.*", "a"));
  EXPECT_FALSE(topic_fits("a.*", "a.b.c"));
  EXPECT_TRUE(topic_fits("a.>", "a.b.c"));
  EXPECT_TRUE(topic_fits(">", "a"));
  EXPECT_FALSE(topic_fits("a.>", "a"));
  EXPECT_FALSE(topic_fits("a.>.c", "a.b.c"));
  EXPECT_TRUE(topic_fits("a*", "a*"));
  EXPECT_FALSE(topic_fits("a*", "ab"));
  EXPECT_TRUE(is_pattern("a.*.b"));
  EXPECT_TRUE(is_pattern("a.>"));
  EXPECT_FALSE(is_pattern("a.>.b"));
  EXPECT_FALSE(is_pattern("a*.b"));
}

class TopicTest : public BothStores {
 protected:
  std::map<std::string, MessageId> publish(const std::string& topic) {
    return engine_.publish(topic, {.body = "news", .content_type = "text/plain"}).value().taken;
  }
  using Taken = std::map<std::string, MessageId>;
};

TEST_P(TopicTest, PutsACopyIntoEachSubscribedChannelWithItsParameters) {
  ASSERT_TRUE(engine_.subscribe({.topic = "t",
                                 .channel = "a",
                                 .priority = -2,
                                 .visibility = 3s,
                                 .deliveries_max = 4,
                                 .retention = 5s}));
  ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = "b"}));
  EXPECT_EQ(publish("t"), (Taken{{"a", 1}, {"b", 2}}));
  EXPECT_EQ(publish("other"), Taken{});
  const auto message = engine_.take("a").at(0).message;
  EXPECT_EQ(message.topic, "t");
  EXPECT_EQ(message.priority, -2);
  EXPECT_EQ(message.visibility, 3s);
  EXPECT_EQ(message.deliveries_max, 4u);
  EXPECT_EQ(message.retention, 5s);
  EXPECT_EQ(message.body, "news");
}

TEST_P(TopicTest, ReplacesParametersAndGivesOneCopyWhenSubscribedAgain) {
  ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = "a"}));
  ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = "a", .priority = 7}));
  ASSERT_TRUE(engine_.subscribe({.topic = "*", .channel = "a", .priority = 8}));
  engine_.reopen();
  EXPECT_EQ(publish("t"), (Taken{{"a", 1}}));
  EXPECT_EQ(engine_.take("a").at(0).message.priority, 7);
  EXPECT_EQ(engine_.stats().subscriptions, 2u);
  EXPECT_EQ(engine_.stats().counters.subscriptions_added, 0u);
  EXPECT_EQ(engine_.topics(), (std::vector<std::string>{"*", "t"}));
}

TEST_P(TopicTest, RefusesMoreCopiesThanMemoryIsToHoldAtOnce) {
  for (int i = 0; i < 17; ++i) {
    ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = std::to_string(i)}));
  }
  const auto published = engine_.publish("t", {.body = std::string(16 * 1'024 * 1'024, 'x')});
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, Errc::bad_argument);
  EXPECT_EQ(engine_.stats().all.messages(), 0u);
}

TEST_P(TopicTest, ListsAndEndsSubscriptions) {
  ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = "a"}));
  EXPECT_EQ(engine_.channels(), std::vector<std::string>{"a"});
  EXPECT_TRUE(engine_.unsubscribe("t", "a"));
  EXPECT_FALSE(engine_.unsubscribe("t", "a"));
  EXPECT_TRUE(engine_.channels().empty());
  EXPECT_TRUE(engine_.topics().empty());
  engine_.reopen();
  EXPECT_EQ(publish("t"), Taken{});
}

TEST_P(TopicTest, StoresAllCopiesOrLeavesOutTheFullChannelsAsIsWished) {
  ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = "free"}));
  ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = "full"}));
  ASSERT_TRUE(engine_.set_settings("full", {.messages_max = 1}));
  ASSERT_TRUE(engine_.put("full", {.body = "x"}));
  auto published = engine_.publish("t", {.body = "news", .all_or_nothing = true}).value();
  EXPECT_TRUE(published.taken.empty());
  ASSERT_EQ(published.refused.size(), 1u);
  EXPECT_EQ(published.refused[0].code, Errc::full);
  EXPECT_EQ(published.refused[0].channel, "full");
  EXPECT_EQ(engine_.stats("free").ready, 0u);
  published = engine_.publish("t", {.body = "news", .all_or_nothing = false}).value();
  EXPECT_EQ(published.taken, (Taken{{"free", 2}}));
  EXPECT_EQ(published.refused.size(), 1u);
}

TEST_P(TopicTest, GivesOneOfAGroupACopyInTurnAndPassesOverTheFull) {
  for (const std::string channel : {"a", "b", "c"}) {
    ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = channel, .group = "g"}));
  }
  ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = "all"}));
  EXPECT_EQ(publish("t"), (Taken{{"all", 1}, {"a", 2}}));
  EXPECT_EQ(publish("t"), (Taken{{"all", 3}, {"b", 4}}));
  ASSERT_TRUE(engine_.set_settings("c", {.messages_max = 1}));
  ASSERT_TRUE(engine_.put("c", {.body = "x"}));
  EXPECT_EQ(publish("t"), (Taken{{"all", 6}, {"a", 7}}));
}

TEST_P(TopicTest, ServesWaitersOfAllItsChannels) {
  ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = "a"}));
  ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = "b"}));
  auto a = engine_.start_take("a", {.wait = 10s});
  auto b = engine_.start_take("b", {.wait = 10s});
  publish("t");
  EXPECT_EQ(a.get()->size(), 1u);
  EXPECT_EQ(b.get()->size(), 1u);
}

TEST_P(TopicTest, LooksAtTheBodyOnlyWhenSomebodyReads) {
  EXPECT_TRUE(engine_.publish("t", {}));
  ASSERT_TRUE(engine_.subscribe({.topic = "t", .channel = "a"}));
  EXPECT_EQ(engine_.publish("t", {}).error().code, Errc::bad_argument);
  EXPECT_FALSE(engine_.subscribe({.topic = "", .channel = "a"}));
  EXPECT_FALSE(engine_.subscribe({.topic = "t", .channel = "a", .visibility = 0s}));
}

INSTANTIATE_TEST_SUITE_P(Stores, TopicTest, testing::Values(StoreKind::memory, StoreKind::rocks),
                         store_name);

class DeadLetterTest : public BothStores {
 protected:
  void SetUp() override {
    ASSERT_TRUE(engine_.set_settings("jobs", {.dead_channel = "dead", .deliveries_max = 1}));
  }
};

TEST_P(DeadLetterTest, MovesAMessageThatUsedUpItsDeliveriesWithItsHistory) {
  ASSERT_TRUE(engine_.put(
      "jobs", {.body = std::string(4'000, 'b'), .priority = 3, .visibility = 1s, .retention = 1h}));
  ASSERT_EQ(engine_.take("jobs").size(), 1u);
  engine_.advance(1s);
  EXPECT_EQ(engine_.stats("jobs").messages(), 0u);
  engine_.reopen();
  engine_.advance(2h);
  const auto dead = engine_.list("dead");
  ASSERT_EQ(dead.size(), 1u);
  const auto& message = dead[0].message;
  EXPECT_EQ(message.id, 1u);
  EXPECT_EQ(message.body.size(), 4'000u);
  EXPECT_EQ(message.priority, 3);
  EXPECT_EQ(message.delivered, 0u);
  EXPECT_EQ(message.deliveries_max, 0u);
  ASSERT_EQ(message.deaths.size(), 1u);
  EXPECT_EQ(message.deaths[0].channel, "jobs");
  EXPECT_EQ(message.deaths[0].reason, DeathReason::delivery_limit);
  EXPECT_EQ(message.deaths[0].delivered, 1u);
  EXPECT_EQ(message.deaths[0].deliveries_max, 1u);
  EXPECT_EQ(message.deaths[0].retention, 1h);
}

// What becomes of a message does not depend on when the engine looks, or whether it was down.
TEST_P(DeadLetterTest, DecidesByWhatCameFirstAfterATimeInWhichItDidNotRun) {
  ASSERT_TRUE(engine_.put("jobs", {.body = "dies", .visibility = 1s, .retention = 2s}));
  ASSERT_TRUE(engine_.put("jobs", {.body = "expires", .visibility = 2s, .retention = 1s}));
  ASSERT_EQ(engine_.take("jobs", {.count_max = 2}).size(), 2u);
  engine_.close();
  engine_.clock.advance(1h);
  engine_.open();
  const auto dead = engine_.list("dead");
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].message.body, "dies");
  EXPECT_EQ(engine_.stats().all.messages(), 1u);
  EXPECT_EQ(engine_.stats().counters.expired, 1u);
}

TEST_P(DeadLetterTest, MovesARejectedMessageAtOnceOrDropsItWithoutAGrave) {
  ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  ASSERT_TRUE(engine_.nack(engine_.take("jobs").at(0).lease, {.reject = true}));
  EXPECT_EQ(engine_.list("dead").at(0).message.deaths.at(0).reason, DeathReason::rejected);
  ASSERT_TRUE(engine_.nack(engine_.take("dead").at(0).lease, {.reject = true}));
  EXPECT_EQ(engine_.stats().all.messages(), 0u);
  EXPECT_EQ(engine_.stats().counters.dropped, 1u);
}

TEST_P(DeadLetterTest, RedrivesInOrderWithTheOldTermsAndKeepsTheHistory) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine_.put("jobs", {.body = "x", .visibility = 1s, .retention = 1h}));
  }
  ASSERT_TRUE(engine_.put("dead", {.body = "put directly", .priority = -1}));
  ASSERT_EQ(engine_.take("jobs", {.count_max = 3}).size(), 3u);
  engine_.advance(1s);
  EXPECT_EQ(engine_.redrive("dead", 2), 2u);
  EXPECT_EQ(engine_.stats("dead").ready, 2u);
  EXPECT_EQ(engine_.redrive("dead"), 1u);
  EXPECT_EQ(engine_.redrive("dead"), 0u);
  engine_.reopen();
  const auto again = engine_.take("jobs");
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].message.id, 1u);
  EXPECT_EQ(again[0].message.delivered, 1u);
  EXPECT_EQ(again[0].message.deliveries_max, 1u);
  EXPECT_EQ(again[0].message.retention, 1h);
  EXPECT_EQ(again[0].message.deaths.size(), 1u);
  engine_.advance(1s);
  EXPECT_EQ(engine_.list("dead").back().message.deaths.size(), 2u);
}

TEST_P(DeadLetterTest, LeavesDeadLettersWhoseHomeIsFull) {
  ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  ASSERT_TRUE(engine_.nack(engine_.take("jobs").at(0).lease, {.reject = true}));
  ASSERT_TRUE(engine_.set_settings("jobs", {.messages_max = 1}));
  ASSERT_TRUE(engine_.put("jobs", {.body = "y"}));
  EXPECT_EQ(engine_.redrive("dead"), 0u);
  EXPECT_EQ(engine_.stats("dead").ready, 1u);
}

TEST_P(DeadLetterTest, RemembersTheLatestDeathsOnly) {
  ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  for (std::size_t i = 0; i < kDeathsKept + 2; ++i) {
    const auto lease = engine_.take("jobs").at(0).lease;
    ASSERT_TRUE(engine_.nack(lease, {.reject = i % 2 == 0}));
    ASSERT_EQ(engine_.redrive("dead"), 1u);
  }
  const auto deaths = engine_.list("jobs").at(0).message.deaths;
  ASSERT_EQ(deaths.size(), kDeathsKept);
  EXPECT_EQ(deaths.back().reason, DeathReason::delivery_limit);
}

TEST_P(DeadLetterTest, FindsAGraveWhenThereAreAsManyChannelsAsMayBe) {
  engine_.set_options({.channels_max = 1});
  engine_.reopen();
  ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  ASSERT_TRUE(engine_.nack(engine_.take("jobs").at(0).lease, {.reject = true}));
  EXPECT_EQ(engine_.list("dead").size(), 1u);
  EXPECT_EQ(engine_.put("another", {.body = "x"}).error().code, Errc::overloaded);
}

TEST_P(DeadLetterTest, LeavesWhatIsAtHomeAgainWhereItIs) {
  ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  ASSERT_TRUE(engine_.nack(engine_.take("jobs").at(0).lease, {.reject = true}));
  ASSERT_EQ(engine_.redrive("dead"), 1u);
  EXPECT_EQ(engine_.redrive("jobs"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Stores, DeadLetterTest,
                         testing::Values(StoreKind::memory, StoreKind::rocks), store_name);

}  // namespace
}  // namespace rp::queue
