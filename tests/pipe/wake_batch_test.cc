#include "pipe/wake_batch.h"

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/io_thread.h"

namespace rp::pipe {
namespace {

using namespace std::chrono_literals;

class CountingSleeper final : public Sleeper {
 public:
  void wake_for_work() override { ++woken; }
  int woken = 0;
};

TEST(WakeBatchTest, WithoutOneNothingIsDeferred) {
  const auto sleeper = std::make_shared<CountingSleeper>();
  EXPECT_FALSE(WakeBatch::defer(sleeper));
  EXPECT_EQ(sleeper->woken, 0);
}

TEST(WakeBatchTest, WakesEverySleeperOnceAtItsEnd) {
  const auto a = std::make_shared<CountingSleeper>();
  const auto b = std::make_shared<CountingSleeper>();
  {
    const WakeBatch batch;
    for (const auto& sleeper : {a, b, a, a}) EXPECT_TRUE(WakeBatch::defer(sleeper));
    EXPECT_EQ(a->woken + b->woken, 0);
  }
  EXPECT_EQ(a->woken, 1);
  EXPECT_EQ(b->woken, 1);
  EXPECT_FALSE(WakeBatch::defer(a));
  { const WakeBatch another; }
  EXPECT_EQ(a->woken, 1);
}

TEST(WakeBatchTest, TheOutermostCounts) {
  const auto sleeper = std::make_shared<CountingSleeper>();
  {
    const WakeBatch outer;
    {
      const WakeBatch inner;
      EXPECT_TRUE(WakeBatch::defer(sleeper));
    }
    EXPECT_EQ(sleeper->woken, 0);
    EXPECT_TRUE(WakeBatch::defer(sleeper));
  }
  EXPECT_EQ(sleeper->woken, 1);
}

TEST(WakeBatchTest, BelongsToOneThread) {
  const auto sleeper = std::make_shared<CountingSleeper>();
  const WakeBatch batch;
  std::thread([&] { EXPECT_FALSE(WakeBatch::defer(sleeper)); }).join();
}

TEST(WakeBatchTest, KeepsASleeperThatHasNoOtherOwner) {
  auto sleeper = std::make_shared<CountingSleeper>();
  const std::weak_ptr<CountingSleeper> watch = sleeper;
  {
    const WakeBatch batch;
    EXPECT_TRUE(WakeBatch::defer(std::move(sleeper)));
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

/// A thread that runs, and tells how far it has come.
class IoThreadWakeTest : public ::testing::Test {
 protected:
  void SetUp() override { thread_.start(); }

  std::future<void> post() {
    auto done = std::make_shared<std::promise<void>>();
    auto ran = done->get_future();
    thread_.post([done] { done->set_value(); });
    return ran;
  }
  static bool runs(const std::future<void>& task) {
    return task.wait_for(10s) == std::future_status::ready;
  }
  static bool waits(const std::future<void>& task) {
    return task.wait_for(20ms) == std::future_status::timeout;
  }

  IoThread thread_;
};

TEST_F(IoThreadWakeTest, RunsWhatWasPostedInABatchAtItsEnd) {
  std::future<void> task;
  {
    const WakeBatch batch;
    task = post();
    EXPECT_TRUE(waits(task));
  }
  EXPECT_TRUE(runs(task));
}

TEST_F(IoThreadWakeTest, BeginsBeforeTheEndOnceThereIsEnoughToDo) {
  const WakeBatch batch;
  std::vector<std::future<void>> tasks;
  for (std::size_t i = 0; i < WakeBatch::kWorthWaking; ++i) tasks.push_back(post());
  for (const auto& task : tasks) EXPECT_TRUE(runs(task));
}

TEST_F(IoThreadWakeTest, AnotherThreadsPostTakesTheDeferredOnesAlong) {
  const WakeBatch batch;
  const auto deferred = post();
  EXPECT_TRUE(waits(deferred));
  std::thread([&] { EXPECT_TRUE(runs(post())); }).join();
  EXPECT_TRUE(runs(deferred));
}

TEST_F(IoThreadWakeTest, RunsWhatIsSoonBehindAllThatWasPosted) {
  std::vector<int> order;
  std::promise<void> done;
  {
    const WakeBatch batch;
    thread_.post([&] { thread_.run_soon([&] { order.push_back(3); }); });
    thread_.post([&] { order.push_back(1); });
    thread_.post([&] {
      order.push_back(2);
      thread_.run_soon([&] { done.set_value(); });
    });
  }
  EXPECT_TRUE(runs(done.get_future()));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

}  // namespace
}  // namespace rp::pipe
