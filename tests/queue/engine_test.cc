#include <string>

#include "tests/queue/test_engine.h"

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

class EngineTest : public BothStores {
 protected:
  MessageId put(NewMessage message = {}) {
    if (message.body.empty()) message.body = "body";
    return engine_.put("jobs", std::move(message)).value();
  }
  /// The id of the first message taken, 0 without one. Keeps its lease.
  MessageId take(TakeOptions options = {}) {
    const auto deliveries = engine_.take("jobs", options);
    if (deliveries.empty()) return 0;
    lease_ = deliveries[0].lease;
    return deliveries[0].message.id;
  }
  Errc put_error(NewMessage message) {
    const auto id = engine_.put("jobs", std::move(message));
    return id ? Errc{} : id.error().code;
  }
  static Errc code(const Status& status) { return status ? Errc{} : status.error().code; }

  Lease lease_;
};

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

TEST_P(EngineTest, RefusesWhatPassesALimitAndSaysByHowMuch) {
  EXPECT_TRUE(engine_.set_settings("jobs", {.messages_max = 2}));
  put();
  put();
  ASSERT_EQ(take(), 1u);  // it counts as well
  const auto refused = engine_.put("jobs", {.body = "x"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::full);
  EXPECT_EQ(refused.error().channel, "jobs");
  EXPECT_EQ(refused.error().present, 2u);
  EXPECT_EQ(refused.error().limit, 2u);
  EXPECT_EQ(refused.error().detail,
            "channel 'jobs' is at the high-level mark with 2 messages; the limit is 2 messages");
  EXPECT_TRUE(engine_.set_settings("jobs", {.body_bytes_max = 10}));
  EXPECT_EQ(put_error({.body = "123"}), Errc::full);
  put({.body = "12"});
  EXPECT_TRUE(engine_.remove(1));
  put({.body = "123"});
  engine_.reopen();
  EXPECT_EQ(put_error({.body = "12"}), Errc::full);
}

TEST_P(EngineTest, HoldsTheLimitOverAllChannels) {
  engine_.set_options({.channel_messages_max = 3, .body_bytes_total_max = 10});
  engine_.reopen();
  put({.body = "12345"});
  EXPECT_TRUE(engine_.put("other", {.body = "1234"}));
  EXPECT_EQ(put_error({.body = "12"}), Errc::full);
  put({.body = "1"});
  EXPECT_EQ(engine_.put_batch("jobs", {{.body = "1"}, {.body = "1"}}).error().code, Errc::full);
}

TEST_P(EngineTest, StoresABatchWholeOrNotAtAll) {
  std::vector<NewMessage> messages(3, NewMessage{.body = "x"});
  const auto done = engine_.put_batch("jobs", messages);
  ASSERT_TRUE(done);
  EXPECT_EQ((*done)[0].id, 1u);
  EXPECT_EQ((*done)[2].id, 3u);
  messages[1].body = "";
  const auto refused = engine_.put_batch("jobs", messages);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_argument);
  EXPECT_EQ(refused.error().detail, "message 1: the message is empty");
  EXPECT_EQ(engine_.stats("jobs").ready, 3u);
  EXPECT_EQ(engine_.put_batch("jobs", {}).error().code, Errc::bad_argument);
  EXPECT_EQ(engine_.put_batch("jobs", std::vector<NewMessage>(kBatchMax + 1)).error().code,
            Errc::bad_argument);
  EXPECT_EQ(engine_.take("jobs", {.count_max = 2}).size(), 2u);
  EXPECT_EQ(engine_.take("jobs", {.count_max = 2}).size(), 1u);
}

TEST_P(EngineTest, RefusesArgumentsThatMakeNoSense) {
  EXPECT_EQ(put_error({.body = ""}), Errc::bad_argument);
  EXPECT_EQ(put_error({.body = "x", .visibility = 0ms}), Errc::bad_argument);
  EXPECT_EQ(put_error({.body = "x", .retention = -1ms}), Errc::bad_argument);
  EXPECT_EQ(put_error({.body = "x", .delay = -1ms}), Errc::bad_argument);
  EXPECT_EQ(put_error({.body = "x", .delay = kDurationMax + 1ms}), Errc::bad_argument);
  EXPECT_EQ(put_error({.body = "x", .at = WallTime::max()}), Errc::bad_argument);
  EXPECT_EQ(put_error({.body = "x", .dedup_id = std::string(256, 'd')}), Errc::bad_argument);
  EXPECT_EQ(engine_.put("", {.body = "x"}).error().code, Errc::bad_argument);
  EXPECT_EQ(engine_.put(std::string("a\0b", 3), {.body = "x"}).error().code, Errc::bad_argument);
  EXPECT_EQ(engine_.put(std::string(256, 'n'), {.body = "x"}).error().code, Errc::bad_argument);
  EXPECT_EQ(code(engine_.set_settings("jobs", {.dead_channel = "jobs"})), Errc::bad_argument);
  EXPECT_TRUE(engine_.channels().empty());
}

TEST_P(EngineTest, StoresAMessageOfOneDedupIdOnceInItsWindow) {
  EXPECT_TRUE(engine_.set_settings("jobs", {.dedup_window = 10s}));
  EXPECT_EQ(put({.dedup_id = "a"}), 1u);
  EXPECT_EQ(put({.dedup_id = "a"}), 1u);
  EXPECT_EQ(engine_.put("other", {.body = "x", .dedup_id = "a"}).value(), 2u);
  EXPECT_TRUE(engine_.remove(1));
  engine_.reopen();
  EXPECT_EQ(put({.dedup_id = "a"}), 1u);
  const auto done = engine_.put_batch("jobs", {{.body = "x", .dedup_id = "b"},
                                               {.body = "x", .dedup_id = "a"},
                                               {.body = "x", .dedup_id = "b"}});
  ASSERT_TRUE(done);
  EXPECT_EQ((*done)[0].id, 3u);
  EXPECT_FALSE((*done)[0].duplicate);
  EXPECT_EQ((*done)[1].id, 1u);
  EXPECT_EQ((*done)[2].id, 3u);
  EXPECT_TRUE((*done)[2].duplicate);
  engine_.advance(10s);
  EXPECT_EQ(put({.dedup_id = "a"}), 4u);
  EXPECT_EQ(put({.dedup_id = "a"}), 4u);
}

TEST_P(EngineTest, ListsWithoutTaking) {
  put({.priority = 1});
  put();
  put({.delay = 5s});
  put({.body = std::string(2'000, 'x')});
  EXPECT_EQ(take(), 2u);
  const auto listed = engine_.list("jobs");
  ASSERT_EQ(listed.size(), 4u);
  EXPECT_EQ(listed[0].message.id, 4u);
  EXPECT_EQ(listed[0].message.body.size(), 2'000u);
  EXPECT_EQ(listed[1].message.id, 1u);
  EXPECT_EQ(listed[2].message.id, 2u);
  EXPECT_EQ(listed[2].state, MessageState::leased);
  EXPECT_EQ(listed[3].state, MessageState::delayed);
  EXPECT_EQ(listed[3].shown_in, 5s);
  const auto part = engine_.list("jobs", 1, 2);
  ASSERT_EQ(part.size(), 2u);
  EXPECT_EQ(part[0].message.id, 1u);
  EXPECT_EQ(part[1].message.id, 2u);
  EXPECT_TRUE(engine_.list("jobs", 4).empty());
  EXPECT_TRUE(engine_.list("nobody").empty());
  EXPECT_EQ(engine_.stats("jobs").ready, 2u);
}

TEST_P(EngineTest, ListsManyInSlicesWithoutAGapOrADouble) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(engine_.put_batch("jobs", std::vector<NewMessage>(1'000, {.body = "x"})));
  }
  EXPECT_EQ(engine_.take("jobs", {.count_max = 1'000}).size(), 1'000u);
  const auto ids_of = [&](std::uint64_t offset, std::size_t limit) {
    std::vector<MessageId> ids;
    for (const auto& listed : engine_.list("jobs", offset, limit)) ids.push_back(listed.message.id);
    return ids;
  };
  std::vector<MessageId> expected;
  for (MessageId id = 1'001; id <= 3'000; ++id) expected.push_back(id);
  for (MessageId id = 1; id <= 1'000; ++id) expected.push_back(id);
  EXPECT_EQ(ids_of(0, Engine::kListMax), expected);
  EXPECT_EQ(ids_of(1'500, 1'000),
            std::vector<MessageId>(expected.begin() + 1'500, expected.begin() + 2'500));
  EXPECT_EQ(ids_of(2'999, 5), std::vector<MessageId>{1'000});
  const auto refused = TestEngine::await<std::vector<Listed>>([&](auto completion) {
    engine_->list("jobs", 0, Engine::kListMax + 1, std::move(completion));
  });
  EXPECT_EQ(refused.error().code, Errc::bad_argument);
}

TEST_P(EngineTest, PurgesFewAndManyAndNothingElse) {
  EXPECT_TRUE(engine_.put("other", {.body = "kept"}));
  for (const std::size_t batches : {1u, 3u}) {
    for (std::size_t i = 0; i < batches; ++i) {
      EXPECT_TRUE(engine_.put_batch("jobs", std::vector<NewMessage>(900, {.body = "x"})));
    }
    const auto deliveries = engine_.take("jobs", {.count_max = 5});
    EXPECT_EQ(engine_.purge("jobs"), 900 * batches);
    EXPECT_EQ(engine_.purge("jobs"), 0u);
    EXPECT_EQ(engine_.stats("jobs").messages(), 0u);
    EXPECT_EQ(code(engine_.ack(deliveries[0].lease)), Errc::unknown_message);
    EXPECT_EQ(code(engine_.remove(deliveries[4].message.id + 1)), Errc::unknown_message);
    EXPECT_EQ(take(), 0u);
    engine_.advance(1h);
    EXPECT_EQ(take(), 0u);
  }
  const auto id = put();
  engine_.reopen();
  EXPECT_EQ(take(), id);
  EXPECT_EQ(engine_.stats().all.messages(), 2u);
  EXPECT_EQ(engine_.take("other")[0].message.body, "kept");
}

TEST_P(EngineTest, APausedChannelTakesMessagesAndGivesNone) {
  EXPECT_TRUE(engine_.pause("jobs", true));
  put();
  EXPECT_EQ(take(), 0u);
  engine_.reopen();
  EXPECT_EQ(take(), 0u);
  EXPECT_TRUE(engine_.stats("jobs").paused);
  EXPECT_TRUE(engine_.pause("jobs", false));
  EXPECT_EQ(take(), 1u);
}

TEST_P(EngineTest, ListsChannelsThatHaveSomething) {
  EXPECT_EQ(take(), 0u);
  EXPECT_TRUE(engine_.channels().empty());
  put();
  EXPECT_TRUE(engine_.put("b", {.body = "x"}));
  EXPECT_EQ(engine_.channels(), (std::vector<std::string>{"b", "jobs"}));
  EXPECT_TRUE(engine_.remove(1));
  EXPECT_EQ(engine_.channels(), std::vector<std::string>{"b"});
  auto waiting = engine_.start_take("later", {.wait = 1s});
  engine_.advance(1s);
  EXPECT_TRUE(waiting.get()->empty());
  engine_.advance(179s);
  EXPECT_EQ(engine_.channels(), (std::vector<std::string>{"b", "later"}));
  engine_.advance(1s);
  EXPECT_EQ(engine_.channels(), std::vector<std::string>{"b"});
}

TEST_P(EngineTest, GoesOnWithTheSameSettingsAndCountsAfterARestart) {
  const ChannelSettings settings{.messages_max = 9,
                                 .body_bytes_max = 999,
                                 .dead_channel = "dead",
                                 .deliveries_max = 3,
                                 .visibility = 7s,
                                 .retention = 1h,
                                 .dedup_window = 2s};
  EXPECT_TRUE(engine_.set_settings("jobs", settings));
  put({.body = "123", .priority = -1});
  put({.body = "12", .priority = 1});
  put({.body = "1", .delay = 1s});
  EXPECT_EQ(take(), 1u);
  const auto id = engine_->store_id();
  EXPECT_EQ(id.size(), 32u);
  engine_.reopen();
  EXPECT_EQ(engine_->store_id(), id);
  EXPECT_EQ(engine_.settings("jobs"), settings);
  const auto stats = engine_.stats("jobs");
  EXPECT_EQ(stats.ready, 1u);
  EXPECT_EQ(stats.leased, 1u);
  EXPECT_EQ(stats.delayed, 1u);
  EXPECT_EQ(stats.body_bytes, 6u);
  EXPECT_EQ(stats.urgent, 1u);
  EXPECT_EQ(stats.niced, 1u);
  EXPECT_EQ(engine_.take("jobs")[0].message.deliveries_max, 3u);
}

INSTANTIATE_TEST_SUITE_P(Stores, EngineTest, testing::Values(StoreKind::memory, StoreKind::rocks),
                         store_name);

}  // namespace
}  // namespace rp::queue
