#include "rest/poller.h"

#include <array>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

namespace rp::rest::test {
namespace {

/// A poller, and a connection of which it watches one end.
class PollerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_.data()), 0);
    poller_.add(watched());
  }
  void TearDown() override {
    for (const int fd : ends_) {
      if (fd >= 0) ::close(fd);
    }
  }

  int watched() const { return ends_[0]; }
  void send_byte() const { ASSERT_EQ(::send(ends_[1], "x", 1, MSG_NOSIGNAL), 1); }
  void close_peer() { ::close(std::exchange(ends_[1], -1)); }
  std::vector<Poller::Event> poll() {
    const auto events = poller_.poll();
    return {events.begin(), events.end()};
  }
  bool has_something_to_tell() const {
    pollfd state{poller_.descriptor(), POLLIN, 0};
    return ::poll(&state, 1, 0) == 1;
  }

  Poller poller_;
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(PollerTest, HasNothingToTellOfAQuietSocket) {
  EXPECT_FALSE(has_something_to_tell());
  EXPECT_TRUE(poll().empty());
}

TEST_F(PollerTest, TellsOfInputOnce) {
  send_byte();
  EXPECT_TRUE(has_something_to_tell());
  const auto events = poll();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].fd, watched());
  EXPECT_TRUE(events[0].readable);
  EXPECT_FALSE(events[0].writable);
  EXPECT_FALSE(events[0].ended);
  EXPECT_FALSE(has_something_to_tell());
  EXPECT_TRUE(poll().empty());
}

TEST_F(PollerTest, TellsOfMoreInputThatComesBeforeTheFirstIsRead) {
  send_byte();
  EXPECT_EQ(poll().size(), 1U);
  send_byte();
  EXPECT_TRUE(has_something_to_tell());
  EXPECT_EQ(poll().size(), 1U);
}

TEST_F(PollerTest, TellsOfTheEndTogetherWithTheInputBeforeIt) {
  send_byte();
  close_peer();
  const auto events = poll();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_TRUE(events[0].readable);
  EXPECT_TRUE(events[0].ended);
}

TEST_F(PollerTest, TellsOfRoomToWriteWhenAsked) {
  poller_.add_writable(watched());
  const auto events = poll();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_TRUE(events[0].writable);
  EXPECT_FALSE(events[0].readable);
}

TEST_F(PollerTest, ForgetsASocketThatIsRemoved) {
  poller_.remove(watched());
  send_byte();
  EXPECT_FALSE(has_something_to_tell());
}

TEST_F(PollerTest, RefusesADescriptorThatIsNone) { EXPECT_ANY_THROW(poller_.add(-1)); }

}  // namespace
}  // namespace rp::rest::test
