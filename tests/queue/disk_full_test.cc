// A real disk that is full: a small one in memory, which only root can make.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sys/mount.h>
#include <thread>
#include <vector>

#include <unistd.h>

#include "tests/queue/test_engine.h"

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

class DiskFullTest : public testing::Test {
 protected:
  void SetUp() override {
    // A disk that is there already, for tests on a file system that keeps its promises to fsync.
    if (const char* there = std::getenv("RP_QUEUE_SMALL_DISK")) {
      disk_ = there;
    } else if (mount("tmpfs", mounted_.path().c_str(), "tmpfs", 0, "size=64m") == 0) {
      disk_ = mounted_.path();
    } else {
      GTEST_SKIP() << "not available: mounting a small disk: " << std::strerror(errno);
    }
    engine_.use_store(
        [this] { return std::move(open_rocks_store({.directory = disk_ + "/data"}).value()); });
  }
  void TearDown() override {
    engine_.close();
    if (disk_.empty()) return;
    std::filesystem::remove_all(disk_ + "/data");
    std::filesystem::remove(disk_ + "/filler");
    if (disk_ == mounted_.path()) umount(mounted_.path().c_str());
  }

  char noise() {
    random_ = random_ * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
    return static_cast<char>(random_ >> 56);
  }
  Errc put() {
    // Noise, which no compression makes smaller.
    std::string body(kBody, '\0');
    for (auto& byte : body) byte = noise();
    const auto id = engine_.put("jobs", {.body = std::move(body)});
    return id ? Errc{} : id.error().code;
  }
  /// Puts until the disk is full; how many it took.
  std::size_t fill() {
    for (std::size_t count = 0; count < kManyPuts; ++count) {
      const auto error = put();
      if (error == Errc{}) continue;
      EXPECT_EQ(error, Errc::disk_full);
      return count;
    }
    ADD_FAILURE() << "the disk does not get full";
    return kManyPuts;
  }
  bool put_within(std::chrono::seconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (put() != Errc{}) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(50ms);
    }
    return true;
  }
  /// Takes and acknowledges everything; how many there were.
  std::size_t drain() {
    std::size_t count = 0;
    for (;;) {
      const auto deliveries = engine_.take("jobs", {.count_max = 100});
      if (deliveries.empty()) return count;
      for (const auto& delivery : deliveries) {
        EXPECT_EQ(delivery.message.body.size(), kBody);
        EXPECT_TRUE(engine_.ack(delivery.lease)) << name(engine_.ack(delivery.lease).error().code);
        ++count;
      }
    }
  }
  /// A file of somebody else that takes all that is left.
  void take_all_space() {
    std::ofstream filler(disk_ + "/filler", std::ios::binary);
    const std::vector<char> block(64 * 1'024);
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }

  static constexpr std::size_t kBody = 20'000;
  static constexpr std::size_t kManyPuts = 20'000;
  TempDirectory mounted_;
  std::string disk_;
  std::uint64_t random_ = 1;
  TestEngine engine_{StoreKind::memory};
};

TEST_F(DiskFullTest, RefusesToAddDeletesAndTakesMessagesInAgain) {
  std::size_t there = 0;
  // What was deleted makes room little by little; in the end there is as much as at first.
  const auto deadline = std::chrono::steady_clock::now() + 120s;
  for (int fills = 0; fills < 2;) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    const auto count = fill();
    fills += count > 500 ? 1 : 0;
    EXPECT_EQ(engine_->health().mode, EngineHealth::Mode::disk_full);
    EXPECT_EQ(engine_.list("jobs", 0, 10).size(), std::min<std::size_t>(count + there, 10));
    EXPECT_EQ(drain(), count + there);
    ASSERT_TRUE(put_within(60s));
    there = 1;
    EXPECT_EQ(engine_->health().mode, EngineHealth::Mode::working);
  }
}

TEST_F(DiskFullTest, KeepsItsWordWhenSomebodyElseFillsTheDisk) {
  for (int i = 0; i < 300; ++i) ASSERT_EQ(put(), Errc{});
  take_all_space();
  EXPECT_EQ(put(), Errc::disk_full);
  EXPECT_EQ(engine_.list("jobs").size(), 300u);
  EXPECT_EQ(drain(), 300u);
  EXPECT_EQ(put(), Errc::disk_full);
  engine_.reopen();
  EXPECT_EQ(engine_.stats("jobs").messages(), 0u);
  std::filesystem::remove(disk_ + "/filler");
  EXPECT_TRUE(put_within(60s));
}

TEST_F(DiskFullTest, KeepsItsWordWhenTheDiskFillsUpWhileItWrites) {
  std::thread other([&] { take_all_space(); });
  std::size_t stored = 0;
  for (int i = 0; i < 2'000; ++i) {
    const auto error = put();
    if (error == Errc{}) {
      ++stored;
    } else {
      ASSERT_EQ(error, Errc::disk_full);
    }
  }
  other.join();
  EXPECT_EQ(put(), Errc::disk_full);
  engine_.reopen();
  EXPECT_EQ(engine_.stats("jobs").messages(), stored);
  EXPECT_EQ(drain(), stored);
  std::filesystem::remove(disk_ + "/filler");
  EXPECT_TRUE(put_within(60s));
}

// Somebody else writes on and on: what the engine gives up does not help it, and it must not take
// that for the end.
TEST_F(DiskFullTest, GoesOnTryingWhileSomebodyElseTakesAllThatGetsFree) {
  std::size_t stored = 0;
  for (; stored < 100; ++stored) ASSERT_EQ(put(), Errc{});
  std::atomic<bool> goes_on{true};
  std::thread other([&] {
    std::ofstream filler(disk_ + "/filler", std::ios::binary);
    const std::vector<char> block(4 * 1'024);
    while (goes_on) {
      if (!filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        filler.clear();
      }
    }
  });
  const auto until = std::chrono::steady_clock::now() + 3s;
  while (std::chrono::steady_clock::now() < until) {
    const auto deliveries = TestEngine::await<std::vector<Delivery>>(
        [&](auto completion) { engine_->take("jobs", {.lease = 1ms}, std::move(completion)); });
    EXPECT_TRUE(deliveries || deliveries.error().code == Errc::disk_full);
    engine_.clock.advance(1ms);
    const auto error = put();
    EXPECT_TRUE(error == Errc{} || error == Errc::disk_full) << name(error);
    if (error == Errc{}) ++stored;
    EXPECT_NE(engine_->health().mode, EngineHealth::Mode::read_only) << engine_->health().reason;
  }
  goes_on = false;
  other.join();
  std::filesystem::remove(disk_ + "/filler");
  EXPECT_TRUE(put_within(60s));
  EXPECT_EQ(engine_.stats("jobs").messages(), stored + 1);
}

}  // namespace
}  // namespace rp::queue
