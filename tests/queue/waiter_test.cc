#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "tests/queue/test_engine.h"

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

class WaiterTest : public BothStores {
 protected:
  void put(std::size_t count = 1) {
    ASSERT_TRUE(engine_.put_batch("jobs", std::vector<NewMessage>(count, {.body = "x"})));
  }
  static Errc code(const Result<std::vector<Delivery>>& result) {
    return result ? Errc{} : result.error().code;
  }
};

TEST_P(WaiterTest, ServesThoseWhoWaitInTheirOrder) {
  auto first = engine_.start_take("jobs", {.wait = 10s});
  auto second = engine_.start_take("jobs", {.wait = 10s});
  EXPECT_EQ(engine_.stats("jobs").waiters, 2u);
  put();
  const auto taken = first.get();
  ASSERT_TRUE(taken);
  ASSERT_EQ(taken->size(), 1u);
  EXPECT_EQ((*taken)[0].message.id, 1u);
  EXPECT_FALSE(second.is_ready());
  put();
  EXPECT_EQ((*second.get())[0].message.id, 2u);
}

TEST_P(WaiterTest, DoesNotLetALateTakerPassAWaitingOne) {
  auto waiting = engine_.start_take("jobs", {.wait = 10s});
  EXPECT_TRUE(engine_.take("jobs").empty());
  put(2);
  EXPECT_EQ((*waiting.get())[0].message.id, 1u);
}

TEST_P(WaiterTest, GivesAWaiterAllThatIsReadyUpToItsCount) {
  auto three = engine_.start_take("jobs", {.count_max = 3, .wait = 10s});
  put(5);
  EXPECT_EQ(three.get()->size(), 3u);
  EXPECT_EQ(engine_.take("jobs", {.count_max = 5}).size(), 2u);
}

TEST_P(WaiterTest, EndsWithNothingWhenTheTimeIsUp) {
  auto waiting = engine_.start_take("jobs", {.wait = 5s});
  engine_.advance(4'999ms);
  engine_.stats();
  EXPECT_FALSE(waiting.is_ready());
  engine_.advance(1ms);
  EXPECT_TRUE(waiting.get()->empty());
  EXPECT_EQ(engine_.stats("jobs").waiters, 0u);
  EXPECT_FALSE(waiting.waiter.cancel());
  put();
  EXPECT_EQ(engine_.stats("jobs").ready, 1u);
}

TEST_P(WaiterTest, ServesAWaiterWhenAHiddenMessageComesBack) {
  ASSERT_TRUE(engine_.put("jobs", {.body = "x", .visibility = 1s}));
  ASSERT_TRUE(engine_.put("jobs", {.body = "y", .delay = 2s}));
  ASSERT_EQ(engine_.take("jobs").size(), 1u);
  auto first = engine_.start_take("jobs", {.lease = 1h, .wait = 10s});
  auto second = engine_.start_take("jobs", {.wait = 10s});
  engine_.advance(1s);
  EXPECT_EQ((*first.get())[0].message.id, 1u);
  engine_.advance(1s);
  EXPECT_EQ((*second.get())[0].message.id, 2u);
}

TEST_P(WaiterTest, LetsAPausedChannelsWaitersWait) {
  ASSERT_TRUE(engine_.pause("jobs", true));
  auto waiting = engine_.start_take("jobs", {.wait = 10s});
  put();
  engine_.stats();
  EXPECT_FALSE(waiting.is_ready());
  ASSERT_TRUE(engine_.pause("jobs", false));
  EXPECT_EQ(waiting.get()->size(), 1u);
}

TEST_P(WaiterTest, ReportsACancelledWaiterAndServesTheNext) {
  auto gone = engine_.start_take("jobs", {.wait = 10s});
  auto stays = engine_.start_take("jobs", {.wait = 10s});
  EXPECT_TRUE(gone.waiter.cancel());
  EXPECT_FALSE(gone.waiter.cancel());
  EXPECT_EQ(code(gone.get()), Errc::cancelled);
  put();
  EXPECT_EQ((*stays.get())[0].message.delivered, 1u);
}

TEST_P(WaiterTest, RefusesMoreWaitersThanItsBound) {
  engine_.set_options({.waiters_max = 1});
  engine_.reopen();
  auto first = engine_.start_take("jobs", {.wait = 10s});
  auto second = engine_.start_take("jobs", {.wait = 10s});
  EXPECT_EQ(code(second.get()), Errc::overloaded);
  EXPECT_FALSE(first.is_ready());
}

TEST_P(WaiterTest, CompletesEveryWaiterWhenTheEngineCloses) {
  auto waiting = engine_.start_take("jobs", {.wait = 10s});
  auto cancelled = engine_.start_take("jobs", {.wait = 10s});
  cancelled.waiter.cancel();
  engine_->close();
  EXPECT_EQ(code(waiting.get()), Errc::closed);
  EXPECT_EQ(code(cancelled.get()), Errc::cancelled);
  const auto late = TestEngine::await<std::vector<Delivery>>(
      [&](auto completion) { engine_->take("jobs", {}, std::move(completion)); });
  EXPECT_EQ(code(late), Errc::closed);
  EXPECT_FALSE(waiting.waiter.cancel());
}

// Puts race with the cancellations of those who wait for them: what nobody got is ready again, and
// no delivery of it counts.
TEST_P(WaiterTest, LosesNoMessageToAWaiterThatLeaves) {
  constexpr int kRounds = 300;
  std::atomic<int> completed{0};
  std::atomic<int> received{0};
  for (int round = 0; round < kRounds; ++round) {
    auto waiter = engine_->take("jobs", {.lease = 1h, .wait = 10s}, [&](auto result) {
      if (result) received += static_cast<int>(result->size());
      ++completed;
    });
    std::thread canceller([&] { waiter.cancel(); });
    engine_->put("jobs", {.body = "x"}, [](auto) {});
    canceller.join();
  }
  // Whoever was cancelled completes soon, without a message.
  while (completed < kRounds) engine_.stats();
  std::set<MessageId> left;
  for (;;) {
    const auto deliveries = engine_.take("jobs", {.count_max = 100, .lease = 1h});
    for (const auto& delivery : deliveries) {
      EXPECT_EQ(delivery.message.delivered, 1u);
      EXPECT_TRUE(left.insert(delivery.message.id).second);
    }
    if (deliveries.empty() && engine_.stats("jobs").ready == 0) break;
  }
  EXPECT_EQ(received + static_cast<int>(left.size()), kRounds);
}

TEST_P(WaiterTest, GivesEachOfManyWaitersOneMessage) {
  constexpr std::size_t kMany = 1'000;
  std::vector<std::promise<MessageId>> promises(kMany);
  for (auto& promise : promises) {
    engine_->take("jobs", {.wait = 30s}, [&promise](auto result) {
      promise.set_value(result && result->size() == 1 ? (*result)[0].message.id : 0);
    });
  }
  for (std::size_t i = 0; i < kMany; ++i) engine_->put("jobs", {.body = "x"}, [](auto) {});
  MessageId expected = 0;
  for (auto& promise : promises) EXPECT_EQ(promise.get_future().get(), ++expected);
  EXPECT_EQ(engine_.stats("jobs").ready, 0u);
}

INSTANTIATE_TEST_SUITE_P(Stores, WaiterTest, testing::Values(StoreKind::memory, StoreKind::rocks),
                         store_name);

}  // namespace
}  // namespace rp::queue
