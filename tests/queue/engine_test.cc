#include "queue/engine.h"

#include <future>

#include <gtest/gtest.h>

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

TEST(EngineTest, HandsOutWhatWasPutAndForgetsWhatWasAcknowledged) {
  SystemClock clock;
  auto engine = std::move(Engine::open_in_memory({}, clock).value());
  std::promise<Result<Engine::PutDone>> put;
  engine->put("jobs", {.body = "one"}, [&](auto r) { put.set_value(std::move(r)); });
  ASSERT_EQ(put.get_future().get()->id, 1u);
  std::promise<Result<std::vector<Delivery>>> taken;
  engine->take("jobs", {}, [&](auto r) { taken.set_value(std::move(r)); });
  const auto deliveries = taken.get_future().get();
  ASSERT_TRUE(deliveries);
  ASSERT_EQ(deliveries->size(), 1u);
  EXPECT_EQ((*deliveries)[0].message.body, "one");
  std::promise<Result<Engine::Answers>> acked;
  engine->ack({(*deliveries)[0].lease}, [&](auto r) { acked.set_value(std::move(r)); });
  EXPECT_TRUE(acked.get_future().get()->front());
  std::promise<Result<ChannelStats>> stats;
  engine->channel_stats("jobs", [&](auto r) { stats.set_value(std::move(r)); });
  EXPECT_EQ(stats.get_future().get()->messages(), 0u);
}

TEST(EngineTest, WaitersAreServedWhenAMessageComes) {
  SystemClock clock;
  auto engine = std::move(Engine::open_in_memory({}, clock).value());
  std::promise<Result<std::vector<Delivery>>> taken;
  auto waiter = engine->take("jobs", {.wait = 10s}, [&](auto r) { taken.set_value(std::move(r)); });
  engine->put("jobs", {.body = std::string(5000, 'x')}, [](auto) {});
  EXPECT_EQ(taken.get_future().get()->size(), 1u);
  EXPECT_FALSE(waiter.cancel());
}

}  // namespace
}  // namespace rp::queue
