#include "rest/arrival.h"

#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace rp::rest::test {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

class ArrivalTest : public ::testing::Test {
 protected:
  Arrival arrive() {
    stats_.connections_open = 1;
    fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    return Arrival(fd_, {"127.0.0.1", 5}, "127.0.0.2", stats_);
  }

  Stats stats_;
  int fd_ = -1;
};

TEST_F(ArrivalTest, IsClosedWhenNobodyTakesIt) {
  {
    Arrival first = arrive();
    const Arrival second(std::move(first));
    EXPECT_EQ(second.remote.port, 5);
    EXPECT_EQ(second.local_address, "127.0.0.2");
    EXPECT_TRUE(is_open(fd_));
    EXPECT_EQ(stats_.connections_open, 1U);
  }
  EXPECT_FALSE(is_open(fd_));
  EXPECT_EQ(stats_.connections_open, 0U);
}

TEST_F(ArrivalTest, StaysOpenForWhoeverTakesIt) {
  EXPECT_EQ(arrive().take(), fd_);
  EXPECT_TRUE(is_open(fd_));
  EXPECT_EQ(stats_.connections_open, 1U);
  ::close(fd_);
}

}  // namespace
}  // namespace rp::rest::test
