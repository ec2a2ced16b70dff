#include "handlers/worker_pool.h"

#include <atomic>
#include <future>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "handlers/live_calls.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {
namespace {

using namespace std::chrono_literals;

TEST(WorkerPoolTest, RunsTasksInOrderOnOneThread) {
  std::vector<int> ran;
  WorkerPool pool(1, 10);
  std::promise<void> done;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(pool.try_post([&ran, i] { ran.push_back(i); }));
  ASSERT_TRUE(pool.try_post([&done] { done.set_value(); }));
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(ran, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(WorkerPoolTest, RefusesTasksBeyondItsQueueAndAfterStop) {
  std::promise<void> entered;
  std::promise<void> go;
  WorkerPool pool(1, 1);
  ASSERT_TRUE(pool.try_post([&] {
    entered.set_value();
    go.get_future().wait();
  }));
  entered.get_future().wait();
  std::atomic<bool> ran = false;
  auto owned = std::make_shared<int>();
  const std::weak_ptr<int> waiting = owned;
  EXPECT_TRUE(pool.try_post([&ran, owned] { ran = true; }));
  owned.reset();
  EXPECT_FALSE(pool.try_post([] {}));
  auto stopped = std::async(std::launch::async, [&] { return pool.stop(kPatience); });
  while (!waiting.expired()) std::this_thread::yield();
  go.set_value();
  EXPECT_EQ(stopped.get(), 0u);
  EXPECT_FALSE(pool.try_post([] {}));
  EXPECT_FALSE(ran) << "what waited when it stopped is dropped";
}

TEST(WorkerPoolTest, AbandonsAThreadThatDoesNotReturn) {
  std::promise<void> entered;
  std::promise<void> left;
  auto go = std::make_shared<std::promise<void>>();
  {
    WorkerPool pool(2, 1);
    ASSERT_TRUE(pool.try_post([&entered, &left, future = go->get_future().share()] {
      entered.set_value();
      future.wait();
      left.set_value();
    }));
    entered.get_future().wait();
    EXPECT_EQ(pool.stop(1ms), 1u);
    EXPECT_EQ(pool.stop(1ms), 1u);
  }
  go->set_value();
  EXPECT_EQ(left.get_future().wait_for(kPatience), std::future_status::ready);
}

/// A call that writes down how it was ended.
class FakeCall final : public LiveCall {
 public:
  explicit FakeCall(pipe::Clock::time_point deadline) : LiveCall(deadline) {}
  void abort(pipe::Failure failure) override { ended_ = failure.code; }
  std::string who_is_late() const override { return "the test"; }

  std::optional<pipe::Errc> ended_;
};

class LiveCallsTest : public testing::Test {
 protected:
  std::shared_ptr<FakeCall> add(pipe::Clock::duration after) {
    auto call = std::make_shared<FakeCall>(start_ + after);
    EXPECT_EQ(live_.add(*call), LiveCalls::Added::yes);
    return call;
  }

  const pipe::Clock::time_point start_ = pipe::Clock::now();
  LiveCalls live_{3};
};

TEST_F(LiveCallsTest, ExpiresWhatIsDueAndNothingElse) {
  const auto late = add(2s);
  const auto soon = add(1s);
  live_.expire(start_ + 1s - 1ns);
  EXPECT_FALSE(soon->ended_);
  live_.expire(start_ + 1s);
  EXPECT_EQ(soon->ended_, pipe::Errc::deadline_exceeded);
  EXPECT_FALSE(late->ended_);
  EXPECT_EQ(live_.size(), 1u);
  live_.remove(*soon);
  live_.remove(*late);
  EXPECT_EQ(live_.size(), 0u);
}

TEST_F(LiveCallsTest, TakesNoMoreThanItsLimitAndNothingAfterDrain) {
  const auto a = add(1s);
  const auto b = add(1s);
  const auto c = add(1s);
  FakeCall d(start_);
  EXPECT_EQ(live_.add(d), LiveCalls::Added::full);
  live_.remove(*c);
  live_.drain(start_);
  EXPECT_EQ(live_.add(d), LiveCalls::Added::closed);
  live_.abort_all({pipe::Errc::stopped, ""});
  EXPECT_EQ(a->ended_, pipe::Errc::stopped);
  EXPECT_EQ(b->ended_, pipe::Errc::stopped);
  EXPECT_FALSE(c->ended_);
}

}  // namespace
}  // namespace rp::handlers
