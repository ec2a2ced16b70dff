#include "pipe/answer_by.h"

#include <gtest/gtest.h>

#include "tests/wait.h"

namespace rp::pipe {
namespace {

TEST(AnswerByTest, LeavesAFifthOfTheTimeAndAtMostASecondForTheWay) {
  const auto now = Clock::now();
  EXPECT_EQ(answer_by(now + 1s, now), now + 800ms);
  EXPECT_EQ(answer_by(now + 5s, now), now + 4s);
  EXPECT_EQ(answer_by(now + 300s, now), now + 299s);
}

TEST(AnswerByTest, IsNowWhenTheTimeIsOver) {
  const auto now = Clock::now();
  EXPECT_EQ(answer_by(now, now), now);
  EXPECT_EQ(answer_by(now - 3s, now), now);
}

TEST(AnswerByTest, NeverComesWithoutADeadline) {
  EXPECT_EQ(answer_by(Clock::time_point::max(), Clock::now()), Clock::time_point::max());
}

}  // namespace
}  // namespace rp::pipe
