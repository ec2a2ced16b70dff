// What the engine does when its store fails, and what it makes of many operations at once.
#include <algorithm>
#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "tests/queue/faulty_store.h"
#include "tests/queue/test_engine.h"

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

class FailureTest : public testing::Test {
 protected:
  FailureTest() {
    engine_.use_store([this] {
      return std::make_unique<FaultyStore>(faults_, std::make_shared<MemoryStore::Map>());
    });
  }
  void TearDown() override { faults_.open_gate(); }

  Errc put_error() {
    const auto id = engine_.put("jobs", {.body = "x"});
    return id ? Errc{} : id.error().code;
  }
  static Errc code(const Result<std::vector<Delivery>>& result) {
    return result ? Errc{} : result.error().code;
  }
  EngineHealth::Mode mode() { return engine_->health().mode; }

  Faults faults_;
  TestEngine engine_{StoreKind::memory};
};

TEST_F(FailureTest, RefusesToAddToAFullDiskAndGoesOnWithEverythingElse) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  faults_.room = false;
  EXPECT_EQ(put_error(), Errc::disk_full);
  EXPECT_EQ(mode(), EngineHealth::Mode::disk_full);
  EXPECT_FALSE(engine_->health().reason.empty());
  const auto taken = engine_.take("jobs");
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_TRUE(engine_.ack(taken[0].lease));
  EXPECT_TRUE(engine_.remove(2));
  EXPECT_EQ(engine_.list("jobs").size(), 1u);
  EXPECT_EQ(engine_.purge("jobs"), 1u);
  faults_.room = true;
  EXPECT_EQ(put_error(), Errc{});
  EXPECT_EQ(mode(), EngineHealth::Mode::working);
}

TEST_F(FailureTest, UndoesAGroupThatFailedAndDecidesItAgain) {
  ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  const auto lease = engine_.take("jobs").at(0).lease;
  faults_.disk_full_writes = 1;
  EXPECT_TRUE(engine_.ack(lease));
  EXPECT_EQ(engine_.stats("jobs").messages(), 0u);
  EXPECT_EQ(engine_.stats().counters.acknowledged, 1u);
  // The number that the failed attempt gave away was told to nobody.
  faults_.disk_full_writes = 1;
  EXPECT_EQ(engine_.put("jobs", {.body = "y"}).value(), 2u);
  EXPECT_EQ(engine_.stats("jobs").ready, 1u);
}

// A take that goes through the messages held in memory writes what it has leased so far, and reads
// on. When its next write fails, the first part stays in the store, and was told to nobody.
TEST_F(FailureTest, GivesBackWhatAGroupLeasedBeforeItFailed) {
  constexpr std::size_t kMany = 1'000;
  for (std::size_t i = 0; i < kMany; ++i) ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  std::vector<MessageId> taken;
  int failed = 0;
  while (taken.size() < kMany) {
    faults_.good_writes = 1;
    faults_.disk_full_writes = 1;
    const auto some = engine_.take("jobs", {.count_max = 90, .lease = 1h});
    failed += faults_.disk_full_writes == 0 ? 1 : 0;
    faults_.good_writes = 0;
    faults_.disk_full_writes = 0;
    if (some.empty()) break;
    for (const auto& delivery : some) {
      EXPECT_EQ(delivery.message.delivered, 1u);
      taken.push_back(delivery.message.id);
    }
  }
  EXPECT_GT(failed, 0) << "no take has written twice";
  ASSERT_EQ(taken.size(), kMany);
  EXPECT_TRUE(std::is_sorted(taken.begin(), taken.end()));
  EXPECT_EQ(engine_.stats().counters.delivered, kMany);
  EXPECT_EQ(engine_.stats().counters.given_back, 0u);
}

TEST_F(FailureTest, KeepsTheOrderOfWaitersThroughAFailedGroup) {
  auto first = engine_.start_take("jobs", {.wait = 1h});
  auto second = engine_.start_take("jobs", {.wait = 1h});
  faults_.disk_full_writes = 1;
  ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  engine_.stats();  // by its answer the group before it has been reported
  EXPECT_FALSE(second.is_ready());
  ASSERT_TRUE(first.is_ready());
  EXPECT_EQ(first.get()->size(), 1u);
  EXPECT_EQ(engine_.stats("jobs").waiters, 1u);
}

TEST_F(FailureTest, WaitsForADiskThatCannotEvenBeDeletedFromAndRecoversAlone) {
  ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  auto waiting = engine_.start_take("other", {.wait = 1h});
  faults_.recovers = false;
  faults_.disk_full_writes = 1'000;
  EXPECT_EQ(put_error(), Errc::disk_full);
  EXPECT_EQ(engine_.remove(1).error().code, Errc::disk_full);
  EXPECT_EQ(engine_.list("jobs").size(), 1u);
  EXPECT_EQ(engine_.stats("jobs").ready, 1u);
  faults_.disk_full_writes = 0;
  faults_.recovers = true;
  // The engine tries again once a second, by a clock that no test moves.
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (mode() != EngineHealth::Mode::working && std::chrono::steady_clock::now() < deadline) {
    engine_.stats();
  }
  EXPECT_TRUE(engine_.put("other", {.body = "x"}));
  EXPECT_EQ(waiting.get()->size(), 1u);
}

TEST_F(FailureTest, IsReadOnlyForGoodAfterAFailedWrite) {
  ASSERT_TRUE(engine_.put("jobs", {.body = "x"}));
  auto waiting = engine_.start_take("other", {.wait = 1h});
  faults_.broken = true;
  EXPECT_EQ(put_error(), Errc::read_only);
  EXPECT_EQ(mode(), EngineHealth::Mode::read_only);
  EXPECT_EQ(engine_->health().reason, "the disk is broken");
  EXPECT_EQ(code(waiting.get()), Errc::read_only);
  // It is not tried again, even if it would work by now.
  faults_.broken = false;
  const int writes = faults_.writes;
  EXPECT_EQ(put_error(), Errc::read_only);
  EXPECT_EQ(engine_.remove(1).error().code, Errc::read_only);
  EXPECT_EQ(code(engine_.start_take("jobs", {.wait = 1h}).get()), Errc::read_only);
  EXPECT_EQ(engine_.list("jobs").size(), 1u);
  EXPECT_EQ(engine_.stats("jobs").ready, 1u);
  EXPECT_EQ(faults_.writes, writes);
}

TEST_F(FailureTest, ReportsAPutOnlyWhenItIsDurable) {
  faults_.close_gate();
  std::promise<void> done;
  auto reported = done.get_future();
  engine_->put("jobs", {.body = "x"}, [&](auto) { done.set_value(); });
  faults_.await_writer();
  EXPECT_EQ(reported.wait_for(0s), std::future_status::timeout);
  faults_.open_gate();
  EXPECT_EQ(reported.wait_for(30s), std::future_status::ready);
}

TEST_F(FailureTest, MakesManyOperationsDurableWithOneWrite) {
  constexpr int kMany = 100;
  faults_.close_gate();
  std::atomic<int> done{0};
  const auto put = [&] { engine_->put("jobs", {.body = "x"}, [&](auto) { ++done; }); };
  put();
  faults_.await_writer();
  for (int i = 1; i < kMany; ++i) put();
  faults_.open_gate();
  EXPECT_EQ(engine_.stats("jobs").ready, static_cast<std::uint64_t>(kMany));
  EXPECT_EQ(done, kMany);
  EXPECT_EQ(engine_.stats().counters.syncs, 2u);
}

TEST_F(FailureTest, GivesBackWhatWasOnItsWayToAWaiterThatLeft) {
  auto waiting = engine_.start_take("jobs", {.lease = 1h, .wait = 1h});
  faults_.close_gate();
  engine_->put("jobs", {.body = "x"}, [](auto) {});
  faults_.await_writer();  // the delivery is decided and being written
  EXPECT_TRUE(waiting.waiter.cancel());
  faults_.open_gate();
  EXPECT_EQ(code(waiting.get()), Errc::cancelled);
  // A waiter, because the message comes back with the next group.
  const auto taken = engine_.start_take("jobs", {.wait = 1h}).get();
  ASSERT_TRUE(taken);
  ASSERT_EQ(taken->size(), 1u);
  EXPECT_EQ((*taken)[0].message.delivered, 1u);
  EXPECT_EQ(engine_.stats().counters.given_back, 1u);
}

TEST_F(FailureTest, WhatCannotBeGivenBackComesBackWithTheEndOfItsLease) {
  auto waiting = engine_.start_take("jobs", {.lease = 1h, .wait = 1h});
  faults_.close_gate();
  engine_->put("jobs", {.body = "x"}, [](auto) {});
  faults_.await_writer();
  EXPECT_TRUE(waiting.waiter.cancel());
  faults_.unreadable = true;
  faults_.open_gate();
  EXPECT_EQ(code(waiting.get()), Errc::cancelled);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(engine_.stats("jobs").hidden(), 1u);
  faults_.unreadable = false;
  engine_.clock.advance(1h);
  EXPECT_EQ(engine_.take("jobs").size(), 1u);
}

TEST_F(FailureTest, RefusesOperationsThatWaitBeyondItsBounds) {
  engine_.set_options({.operations_queued_max = 10, .operation_bytes_queued_max = 1'000});
  engine_.reopen();
  faults_.close_gate();
  std::atomic<int> refused{0};
  std::atomic<int> done{0};
  const auto put = [&](std::size_t bytes) {
    engine_->put("jobs", {.body = std::string(bytes, 'x')}, [&](auto result) {
      if (!result && result.error().code == Errc::overloaded) ++refused;
      ++done;
    });
  };
  put(1);
  faults_.await_writer();
  for (int i = 0; i < 13; ++i) put(1);
  EXPECT_EQ(refused, 3);
  faults_.open_gate();
  while (done < 14) std::this_thread::yield();
  faults_.close_gate();
  put(1);
  faults_.await_writer();
  put(1'000);
  put(1);
  EXPECT_EQ(refused, 4);
  faults_.open_gate();
  while (done < 17) std::this_thread::yield();
}

TEST_F(FailureTest, CompletesWhatWaitsWhenItCloses) {
  faults_.close_gate();
  std::promise<Errc> promise;
  auto second = promise.get_future();
  engine_->put("jobs", {.body = "x"}, [](auto) {});
  faults_.await_writer();
  engine_->put("jobs", {.body = "x"},
               [&](auto result) { promise.set_value(result ? Errc{} : result.error().code); });
  auto closing = std::async(std::launch::async, [&] { engine_->close(); });
  // The gate opens when close() has said so, which is seen from outside by what it refuses.
  std::atomic<bool> closed{false};
  while (!closed) {
    engine_->put("jobs", {.body = "x"}, [&](auto result) {
      closed = closed || (!result && result.error().code == Errc::closed);
    });
  }
  faults_.open_gate();
  EXPECT_EQ(second.get(), Errc::closed);
  closing.get();
}

}  // namespace
}  // namespace rp::queue
