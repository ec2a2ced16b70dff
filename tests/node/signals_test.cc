#include "node/signals.h"

#include <csignal>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace rp::node {
namespace {

class SignalsTest : public testing::Test {
 protected:
  Signals::Callbacks counting() {
    return {[this] { ++drains_; }, [this] { ++reloads_; }};
  }

  void raise_and_settle(int signal) {
    ASSERT_EQ(std::raise(signal), 0);
    io_.restart();
    io_.run_one_for(std::chrono::seconds(10));  // the signal arrives through a pipe
    io_.poll();
  }

  boost::asio::io_context io_{1};
  int drains_ = 0;
  int reloads_ = 0;
};

TEST_F(SignalsTest, ReloadsAtEveryHangUp) {
  Signals signals(io_.get_executor(), counting());
  raise_and_settle(SIGHUP);
  raise_and_settle(SIGHUP);
  EXPECT_EQ(reloads_, 2);
  EXPECT_EQ(drains_, 0);
}

TEST_F(SignalsTest, DrainsAtTheFirstTermination) {
  for (const int signal : {SIGTERM, SIGINT}) {
    drains_ = 0;
    Signals signals(io_.get_executor(), counting());
    raise_and_settle(signal);
    EXPECT_EQ(drains_, 1);
  }
}

TEST_F(SignalsTest, ReloadsAreStillTakenWhileDraining) {
  Signals signals(io_.get_executor(), counting());
  raise_and_settle(SIGTERM);
  raise_and_settle(SIGHUP);
  EXPECT_EQ(drains_, 1);
  EXPECT_EQ(reloads_, 1);
}

TEST_F(SignalsTest, IgnoresBrokenPipes) {
  Signals signals(io_.get_executor(), counting());
  EXPECT_EQ(std::raise(SIGPIPE), 0);  // reached only when the signal did not end the process
}

TEST_F(SignalsTest, StopLetsTheLoopEnd) {
  Signals signals(io_.get_executor(), counting());
  signals.stop();
  io_.restart();
  io_.run();
  EXPECT_TRUE(io_.stopped());
}

TEST(SignalsDeathTest, ASecondTerminationQuitsAtOnce) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        boost::asio::io_context io(1);
        Signals signals(io.get_executor(), {[] { std::raise(SIGINT); }, [] {}});
        std::raise(SIGTERM);
        io.run_for(std::chrono::seconds(10));
        ::_exit(99);
      },
      testing::ExitedWithCode(1), "");
}

}  // namespace
}  // namespace rp::node
