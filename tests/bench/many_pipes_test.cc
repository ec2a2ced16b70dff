#include <csignal>

#include <gtest/gtest.h>

#include "tests/bench/bench_program.h"
#include "tests/product/harness/lab.h"

/// The storm of tools/bench, with few clients: all come, come back to their sessions, and come
/// again to a server that has lost these.
namespace rp::product {
namespace {

constexpr int kPipes = 20;

class ManyPipesTest : public LabTest {
 protected:
  Command many(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"--ca",      authority_.ca().string(),
                                       "--scratch", authority_.scratch("crowd").string(),
                                       "--port",    std::to_string(server_->pipe_port()),
                                       "--pipes",   std::to_string(kPipes)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return bench_command("many", std::move(arguments));
  }
};

TEST_F(ManyPipesTest, ComeBackAfterEveryLoss) {
  server_ = make_server();
  Process crowd(many());
  const auto first = crowd.out_line("round=1 ");
  ASSERT_TRUE(first) << crowd.err();
  EXPECT_EQ(figure(*first, "pipes"), kPipes);
  EXPECT_EQ(figure(*first, "resumed"), 0);
  EXPECT_TRUE(server_knows("load-0") && server_knows("load-19"));

  crowd.signal(SIGUSR1);
  const auto second = crowd.out_line("round=2 ");
  ASSERT_TRUE(second) << crowd.err();
  EXPECT_EQ(figure(*second, "resumed"), kPipes);

  restart_server();
  const auto third = crowd.out_line("round=3 ", 60s);
  ASSERT_TRUE(third) << crowd.err();
  EXPECT_EQ(figure(*third, "resumed"), 0);
  EXPECT_TRUE(server_knows("load-7"));

  crowd.signal(SIGTERM);
  EXPECT_EQ(crowd.wait(), 0) << crowd.err();
}

TEST_F(ManyPipesTest, DialAFewAtATimeFromOneAddress) {
  server_ = make_server();
  Process crowd(many({"--dials-max", "3", "--sources", "1", "--threads", "1"}));
  const auto line = crowd.out_line("round=1 ");
  ASSERT_TRUE(line) << crowd.err();
  EXPECT_EQ(figure(*line, "failed"), 0);
}

TEST_F(ManyPipesTest, ASteadyCallerSaysWhatEachCallTook) {
  start_pair();
  Process caller(bench_command(
      "steady", {"--port", std::to_string(client_->rest_port()), "--per-second", "100"}));
  const auto line = caller.out_line("status=200");
  ASSERT_TRUE(line) << caller.out() << caller.err();
  EXPECT_GT(figure(*line, "us"), 0) << *line;
  EXPECT_GT(figure(*line, "at"), 1'700'000'000) << *line;
}

}  // namespace
}  // namespace rp::product
