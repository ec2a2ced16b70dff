#include "tests/product/linger_fixture.h"

/// What takes Linger's own time.
namespace rp::product {
namespace {

TEST_F(LingerTest, Row15_ALongPollEndsAfterTwoMinutesHereAndThroughAPipe) {
  start_pair();
  CurlRun far({C("/server/channels/t")}, 150s);
  CurlRun near({url("/channels/t")}, 150s);
  for (CurlRun* const run : {&far, &near}) {
    const auto response = run->finish();
    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(response.header("x-linger-channel"), "t");
    EXPECT_GE(response.seconds, 120.0);
    EXPECT_LT(response.seconds, 145.0);
  }
}

}  // namespace
}  // namespace rp::product
