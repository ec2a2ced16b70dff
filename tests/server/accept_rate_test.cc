#include "server/accept_rate.h"

#include <gtest/gtest.h>

namespace rp::server {
namespace {

using namespace std::chrono_literals;

class AcceptRateTest : public testing::Test {
 protected:
  AcceptRate::Clock::time_point now_{};
  AcceptRate rate_{/*per_second=*/100, now_};  // ten at once
};

TEST_F(AcceptRateTest, LetsABurstThroughThenOneInterval) {
  now_ += 1s;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rate_.taken(now_), 0ns) << i;
  EXPECT_EQ(rate_.taken(now_), 10ms);
}

TEST_F(AcceptRateTest, HoldsTheRateInTheLongRun) {
  const auto begin = now_;
  for (int i = 0; i < 1000; ++i) now_ += rate_.taken(now_);
  EXPECT_EQ(now_ - begin, 10s);
}

TEST_F(AcceptRateTest, NeverSavesUpMoreThanOneBurst) {
  now_ += 1h;
  int at_once = 0;
  while (rate_.taken(now_) == 0ns) ++at_once;
  EXPECT_EQ(at_once, 10);
}

TEST_F(AcceptRateTest, OneASecondIsTheLeast) {
  AcceptRate slow(1, now_);
  now_ += 1min;
  EXPECT_EQ(slow.taken(now_), 0ns);
  EXPECT_EQ(slow.taken(now_), 1s);
}

}  // namespace
}  // namespace rp::server
