// How the engine gets over a store that fails for a while, and what of a failed group is left.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/queue/faulty_store.h"
#include "tests/queue/test_engine.h"

namespace rp::queue {
namespace {

using namespace std::chrono_literals;
using Mode = EngineHealth::Mode;

class RecoveryTest : public testing::Test {
 protected:
  RecoveryTest() {
    engine_.use_store([this] { return std::make_unique<FaultyStore>(faults_, map_); });
  }
  void TearDown() override { faults_.open_gate(); }

  Errc put_error(NewMessage message = {.body = "x"}) {
    const auto id = engine_.put("jobs", std::move(message));
    return id ? Errc{} : id.error().code;
  }
  Mode mode() { return engine_->health().mode; }
  /// The engine tries again once a second, by a clock that no test moves.
  bool works_within(std::chrono::seconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (mode() != Mode::working) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(10ms);
    }
    return true;
  }
  /// The disk gets full with a message on its way to a waiter that has left.
  void get_stuck_with_a_message_to_give_back() {
    auto waiting = engine_.start_take("jobs", {.lease = 1h, .wait = 1h});
    faults_.close_gate();
    engine_->put("jobs", {.body = "x"}, [](auto) {});
    faults_.await_writer();
    waiting.waiter.cancel();
    faults_.good_writes = 1;
    faults_.disk_full_writes = 1'000'000;
    faults_.recovers = false;
    faults_.open_gate();
    EXPECT_FALSE(waiting.get());
    while (mode() == Mode::working) std::this_thread::yield();
  }

  Faults faults_;
  std::shared_ptr<MemoryStore::Map> map_ = std::make_shared<MemoryStore::Map>();
  TestEngine engine_{StoreKind::memory};
};

TEST_F(RecoveryTest, RefusesAGroupThatFailsTwiceAndGoesOn) {
  faults_.disk_full_writes = 2;
  EXPECT_EQ(put_error(), Errc::disk_full);
  EXPECT_TRUE(works_within(20s));
  EXPECT_EQ(put_error(), Errc{});
  EXPECT_EQ(engine_.stats("jobs").messages(), 1u);
}

TEST_F(RecoveryTest, TriesAgainAStoreThatCannotEvenBeRead) {
  ASSERT_EQ(put_error(), Errc{});
  auto waiting = engine_.start_take("other", {.wait = 1h});
  faults_.closes = true;
  faults_.recovers = false;
  faults_.disk_full_writes = 1;
  EXPECT_EQ(put_error(), Errc::disk_full);
  EXPECT_EQ(mode(), Mode::disk_full);
  const auto asked = TestEngine::await<ChannelStats>(
      [&](auto completion) { engine_->channel_stats("jobs", std::move(completion)); });
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, Errc::disk_full);
  faults_.recovers = true;
  ASSERT_TRUE(works_within(20s));
  EXPECT_EQ(engine_.stats("jobs").ready, 1u);
  EXPECT_TRUE(engine_.put("other", {.body = "x"}));
  EXPECT_EQ(waiting.get()->size(), 1u);
}

TEST_F(RecoveryTest, SleepsWhileNothingCanBeWritten) {
  get_stuck_with_a_message_to_give_back();
  const auto before = engine_.clock.reads();
  std::this_thread::sleep_for(300ms);
  EXPECT_LT(engine_.clock.reads() - before, 100u);
  faults_.recovers = true;
  faults_.disk_full_writes = 0;
  ASSERT_TRUE(works_within(20s));
  EXPECT_EQ(engine_.start_take("jobs", {.wait = 10s}).get()->size(), 1u);
}

// A large body is read back before it is handed out, so the store has the message by then.
TEST_F(RecoveryTest, ServesWaitersWithWhatAFailedGroupHasLeftBehind) {
  auto waiting = engine_.start_take("jobs", {.wait = 1h});
  faults_.good_writes = 1;
  faults_.disk_full_writes = 1;
  faults_.room_then = false;
  EXPECT_EQ(put_error({.body = std::string(3'000, 'x')}), Errc::disk_full);
  const auto taken = waiting.get();
  ASSERT_TRUE(taken);
  ASSERT_EQ(taken->size(), 1u);
  EXPECT_TRUE(engine_.ack((*taken)[0].lease));
}

TEST_F(RecoveryTest, KnowsARepeatedMessageOnAFullDiskToo) {
  EXPECT_EQ(engine_.put("jobs", {.body = "x", .dedup_id = "a"}).value(), 1u);
  faults_.room = false;
  EXPECT_EQ(engine_.put("jobs", {.body = "x", .dedup_id = "a"}).value(), 1u);
  EXPECT_EQ(put_error({.body = "x", .dedup_id = "b"}), Errc::disk_full);
}

TEST_F(RecoveryTest, LeavesWhatCannotBeReadWhereItIsAndLooksAgain) {
  ASSERT_EQ(put_error({.body = std::string(3'000, 'x')}), Errc{});
  ASSERT_EQ(put_error({.body = "leased", .priority = -1, .visibility = 1s}), Errc{});
  ASSERT_EQ(put_error({.body = "late", .delay = 1s}), Errc{});
  ASSERT_EQ(engine_.take("jobs").at(0).message.body, "leased");
  faults_.unreadable = true;
  EXPECT_TRUE(engine_.take("jobs").empty());
  EXPECT_EQ(engine_.remove(1).error().code, Errc::unreadable);
  engine_.advance(2s);
  EXPECT_TRUE(engine_.take("jobs").empty());
  faults_.unreadable = false;
  engine_.advance(10s);
  EXPECT_EQ(engine_.take("jobs", {.count_max = 5}).size(), 3u);
  EXPECT_EQ(engine_.stats().counters.damaged, 0u);
}

// What dies at once is more than memory is to hold at once.
TEST_F(RecoveryTest, WritesMuchInParts) {
  constexpr std::size_t kMessages = 200;
  ASSERT_TRUE(engine_.set_settings("jobs", {.dead_channel = "dead", .deliveries_max = 1}));
  for (std::size_t i = 0; i < kMessages; ++i) {
    ASSERT_EQ(put_error({.body = std::string(250'000, 'x'), .visibility = 1h}), Errc{});
  }
  std::size_t taken = 0;
  while (taken < kMessages) taken += engine_.take("jobs", {.count_max = kMessages}).size();
  engine_.advance(1h);
  EXPECT_EQ(engine_.stats("dead").ready, kMessages);
  EXPECT_EQ(engine_.redrive("dead", kMessages), kMessages);
  EXPECT_LT(faults_.largest_batch, 17u * 1'024 * 1'024);
}

TEST(MemoryBoundTest, RefusesWhatWouldNeedMoreMemoryThanItsBound) {
  SystemClock clock;
  auto engine =
      std::move(Engine::open_in_memory({.memory_bytes_max = 1'024 * 1'024}, clock).value());
  const auto put = [&] {
    return TestEngine::await<Engine::PutDone>(
        [&](auto completion) { engine->put("jobs", {.body = "x"}, std::move(completion)); });
  };
  std::size_t stored = 0;
  while (stored < 10'000 && put()) ++stored;
  EXPECT_GT(stored, 1'000u);
  EXPECT_LT(stored, 10'000u);
  EXPECT_EQ(put().error().code, Errc::disk_full);
  const auto purged = TestEngine::await<std::uint64_t>(
      [&](auto completion) { engine->purge("jobs", std::move(completion)); });
  EXPECT_EQ(purged.value(), stored);
  EXPECT_TRUE(put());
}

}  // namespace
}  // namespace rp::queue
