#include "pipe/last_word.h"

#include <gtest/gtest.h>

#include "tests/wait.h"

namespace rp::pipe {
namespace {

TEST(LastWordTest, LeavesAFifthOfTheTimeAndAtMostASecondForTheWay) {
  const auto now = Clock::now();
  EXPECT_EQ(last_word(now + 1s, now), now + 800ms);
  EXPECT_EQ(last_word(now + 5s, now), now + 4s);
  EXPECT_EQ(last_word(now + 300s, now), now + 299s);
}

TEST(LastWordTest, IsNowWhenTheTimeIsOver) {
  const auto now = Clock::now();
  EXPECT_EQ(last_word(now, now), now);
  EXPECT_EQ(last_word(now - 3s, now), now);
}

TEST(LastWordTest, NeverComesWithoutADeadline) {
  EXPECT_EQ(last_word(Clock::time_point::max(), Clock::now()), Clock::time_point::max());
}

}  // namespace
}  // namespace rp::pipe
