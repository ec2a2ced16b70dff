#include "pipe/io_thread.h"

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

namespace rp::pipe {
namespace {

using namespace std::chrono_literals;

/// A thread that runs, and tells how far it has come.
class IoThreadTest : public ::testing::Test {
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

TEST_F(IoThreadTest, RunsWhatWasPostedInABatchAtItsEnd) {
  std::future<void> task;
  {
    const WakeBatch batch;
    task = post();
    EXPECT_TRUE(waits(task));
  }
  EXPECT_TRUE(runs(task));
}

TEST_F(IoThreadTest, BeginsBeforeTheEndOnceThereIsEnoughToDo) {
  const WakeBatch batch;
  std::vector<std::future<void>> tasks;
  for (std::size_t i = 0; i < WakeBatch::kWorthWaking; ++i) tasks.push_back(post());
  for (const auto& task : tasks) EXPECT_TRUE(runs(task));
}

TEST_F(IoThreadTest, AnotherThreadsPostTakesTheDeferredOnesAlong) {
  const WakeBatch batch;
  const auto deferred = post();
  EXPECT_TRUE(waits(deferred));
  std::thread([&] { EXPECT_TRUE(runs(post())); }).join();
  EXPECT_TRUE(runs(deferred));
}

TEST_F(IoThreadTest, RunsWhatIsSoonBehindAllThatWasPosted) {
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

TEST_F(IoThreadTest, EndsATurnWithAllThatWasAskedForInIt) {
  std::vector<int> order;
  std::promise<void> done;
  boost::asio::post(thread_.context(), [&] {
    const IoThread::Turn turn(thread_);
    thread_.run_soon([&] {
      order.push_back(3);
      thread_.run_soon([&] { order.push_back(4); });
    });
    {
      const IoThread::Turn inner(thread_);
      thread_.run_soon([] {});
      order.push_back(1);
    }
    order.push_back(2);
  });
  boost::asio::post(thread_.context(), [&] { done.set_value(); });
  EXPECT_TRUE(runs(done.get_future()));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
}

TEST_F(IoThreadTest, RunsWhatIsSoonOutsideOfATurnToo) {
  std::promise<void> done;
  boost::asio::post(thread_.context(), [&] { thread_.run_soon([&] { done.set_value(); }); });
  EXPECT_TRUE(runs(done.get_future()));
}

TEST_F(IoThreadTest, DropsWhatIsPostedOnceItHasStopped) {
  thread_.stop();
  const auto held = std::make_shared<int>(0);
  thread_.post([held] { ADD_FAILURE() << "ran"; });
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace rp::pipe
