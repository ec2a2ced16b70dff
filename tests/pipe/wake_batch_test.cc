#include "pipe/wake_batch.h"

#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace rp::pipe {
namespace {

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

}  // namespace
}  // namespace rp::pipe
