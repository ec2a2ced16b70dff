#include <string>

#include "tests/queue/jobs_channel.h"

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

class ChannelTest : public JobsChannel {};

TEST_P(ChannelTest, RefusesWhatPassesALimitAndSaysByHowMuch) {
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
  EXPECT_EQ(refused.error().detail, "channel 'jobs' holds 2 of at most 2 messages");
  EXPECT_TRUE(engine_.set_settings("jobs", {.body_bytes_max = 10}));
  EXPECT_EQ(put_error({.body = "123"}), Errc::full);
  put({.body = "12"});
  EXPECT_TRUE(engine_.remove(1));
  put({.body = "123"});
  engine_.reopen();
  EXPECT_EQ(put_error({.body = "12"}), Errc::full);
}

TEST_P(ChannelTest, HoldsTheLimitOverAllChannels) {
  engine_.set_options({.channel_messages_max = 3, .body_bytes_total_max = 10});
  engine_.reopen();
  put({.body = "12345"});
  EXPECT_TRUE(engine_.put("other", {.body = "1234"}));
  EXPECT_EQ(put_error({.body = "12"}), Errc::full);
  put({.body = "1"});
  EXPECT_EQ(engine_.put_batch("jobs", {{.body = "1"}, {.body = "1"}}).error().code, Errc::full);
}

TEST_P(ChannelTest, StoresABatchWholeOrNotAtAll) {
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

TEST_P(ChannelTest, RefusesArgumentsThatMakeNoSense) {
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

TEST_P(ChannelTest, StoresAMessageOfOneDedupIdOnceInItsWindow) {
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
  put();
  // What is known already takes no room.
  EXPECT_TRUE(engine_.set_settings("jobs", {.messages_max = 1, .dedup_window = 10s}));
  EXPECT_EQ(put({.dedup_id = "b"}), 3u);
  EXPECT_TRUE(engine_.set_settings("jobs", {.dedup_window = 10s}));
  engine_.advance(10s);
  EXPECT_EQ(put({.dedup_id = "a"}), 5u);
  EXPECT_EQ(put({.dedup_id = "a"}), 5u);
}

TEST_P(ChannelTest, ListsWithoutTaking) {
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

TEST_P(ChannelTest, ListsManyInSlicesWithoutAGapOrADouble) {
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

TEST_P(ChannelTest, PurgesFewAndManyAndNothingElse) {
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

TEST_P(ChannelTest, APausedChannelTakesMessagesAndGivesNone) {
  EXPECT_TRUE(engine_.pause("jobs", true));
  put();
  EXPECT_EQ(take(), 0u);
  engine_.reopen();
  EXPECT_EQ(take(), 0u);
  EXPECT_TRUE(engine_.stats("jobs").paused);
  EXPECT_TRUE(engine_.pause("jobs", false));
  EXPECT_EQ(take(), 1u);
}

TEST_P(ChannelTest, ListsChannelsThatHaveSomething) {
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

TEST_P(ChannelTest, NamesADeadLetterChannelAndKeepsItsOtherSettings) {
  EXPECT_TRUE(engine_.set_settings("jobs", {.messages_max = 9}));
  EXPECT_TRUE(engine_.set_dead_channel("jobs", "dead"));
  EXPECT_EQ(engine_.settings("jobs"), (ChannelSettings{.messages_max = 9, .dead_channel = "dead"}));
  EXPECT_EQ(code(engine_.set_dead_channel("jobs", "jobs")), Errc::bad_argument);
  EXPECT_EQ(code(engine_.set_dead_channel("", "dead")), Errc::bad_argument);
  EXPECT_TRUE(engine_.set_dead_channel("jobs", ""));
  engine_.reopen();
  EXPECT_EQ(engine_.settings("jobs"), ChannelSettings{.messages_max = 9});
}

TEST_P(ChannelTest, GoesOnWithTheSameSettingsAndCountsAfterARestart) {
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

INSTANTIATE_TEST_SUITE_P(Stores, ChannelTest, testing::Values(StoreKind::memory, StoreKind::rocks),
                         store_name);

}  // namespace
}  // namespace rp::queue
