#include "pipe/core/flow.h"

#include <random>

#include <gtest/gtest.h>

#include "pipe/core/backoff.h"

namespace rp::pipe {
namespace {

using namespace std::chrono_literals;

TEST(SendWindowTest, AllowsWhatItHolds) {
  SendWindow window(100);
  EXPECT_EQ(window.available(60), 60U);
  EXPECT_EQ(window.available(200), 100U);
  window.take(100);
  EXPECT_EQ(window.available(1), 0U);
  EXPECT_TRUE(window.add(5));
  EXPECT_EQ(window.available(9), 5U);
}

TEST(SendWindowTest, RefusesCreditOverTheLimitOfTheWire) {
  SendWindow window(1);
  EXPECT_FALSE(window.add(0x7fffffff));
  EXPECT_TRUE(window.add(0x7ffffffe));
  EXPECT_FALSE(window.add(1));
  EXPECT_EQ(window.available(0xffffffff), 0x7fffffffU) << "refused credit adds nothing";
}

TEST(SendWindowTest, RefusesCreditOfNothing) {
  SendWindow window(1);
  EXPECT_FALSE(window.add(0));
}

TEST(ReceiveWindowTest, NoticesAnOverrun) {
  ReceiveWindow window(100);
  EXPECT_TRUE(window.take(100));
  EXPECT_FALSE(window.take(1));
}

TEST(ReceiveWindowTest, GivesCreditOnceHalfIsFree) {
  ReceiveWindow window(100);
  ASSERT_TRUE(window.take(100));
  EXPECT_EQ(window.give_back(49), 0U);
  EXPECT_FALSE(window.take(1)) << "bytes count only once credit has been sent";
  EXPECT_EQ(window.give_back(1), 50U);
  EXPECT_TRUE(window.take(50));
  EXPECT_FALSE(window.take(1));
}

TEST(ReceiveWindowTest, DoublesWithEachWindowThatWasReadUpToItsMost) {
  ReceiveWindow window(100, 300);
  ASSERT_TRUE(window.take(100));
  EXPECT_EQ(window.give_back(50, true), 50U) << "half a window says little";
  ASSERT_TRUE(window.take(50));
  EXPECT_EQ(window.give_back(50, true), 150U);
  ASSERT_TRUE(window.take(150));
  EXPECT_EQ(window.give_back(200, true), 300U);
  ASSERT_TRUE(window.take(300));
  EXPECT_EQ(window.give_back(300, true), 300U);
}

TEST(ReceiveWindowTest, GrowsOnlyWhereItMay) {
  ReceiveWindow window(100, 300);
  ASSERT_TRUE(window.take(100));
  EXPECT_EQ(window.give_back(100, false), 100U);
  ReceiveWindow fixed(100);
  ASSERT_TRUE(fixed.take(100));
  EXPECT_EQ(fixed.give_back(100, true), 100U);
}

TEST(ReceiveWindowTest, NeverLeaksAByte) {
  std::mt19937 random(1);
  ReceiveWindow window(1000);
  std::size_t open = 1000;
  std::size_t held = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::size_t in = std::min<std::size_t>(random() % 300, open);
    ASSERT_TRUE(window.take(in));
    open -= in;
    held += in;
    const std::size_t out = std::min<std::size_t>(random() % 300, held);
    open += window.give_back(out);
    held -= out;
    ASSERT_LE(open + held, 1000U);
    if (held == 0) {
      ASSERT_GT(open, 500U) << "a sender must never wait for a receiver that holds nothing";
    }
  }
}

TEST(BackoffTest, StaysWithinABoundThatDoublesUpToTheCap) {
  Backoff backoff({.base = 100ms, .cap = 1000ms}, 7);
  for (const auto bound : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms, 1000ms}) {
    const auto wait = backoff.next();
    EXPECT_GE(wait, bound / 10);
    EXPECT_LE(wait, bound);
  }
}

TEST(BackoffTest, StartsFromTheBaseAfterReset) {
  Backoff backoff({.base = 100ms, .cap = 30s}, 7);
  for (int i = 0; i < 20; ++i) backoff.next();
  backoff.reset();
  EXPECT_LE(backoff.next(), 100ms);
}

TEST(BackoffTest, SpreadsOverItsWholeRange) {
  Backoff backoff({.base = 1000ms, .cap = 1000ms}, 7);
  auto least = 1000ms;
  auto most = 0ms;
  for (int i = 0; i < 1000; ++i) {
    const auto wait = backoff.next();
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  EXPECT_LT(least, 120ms);
  EXPECT_GT(most, 980ms);
}

TEST(BackoffTest, DiffersBetweenNodes) {
  Backoff one({}, 1);
  Backoff two({}, 2);
  bool differs = false;
  for (int i = 0; i < 10; ++i) differs = differs || one.next() != two.next();
  EXPECT_TRUE(differs);
}

TEST(BackoffTest, DoesNotOverflowAfterManyFailures) {
  Backoff backoff({.base = 1ms, .cap = 5000ms}, 7);
  for (int i = 0; i < 10'000; ++i) {
    const auto wait = backoff.next();
    ASSERT_GE(wait, 0ms);
    ASSERT_LE(wait, 5000ms);
  }
}

}  // namespace
}  // namespace rp::pipe
