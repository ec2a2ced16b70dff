#include <filesystem>

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"

/// Executables as handlers, on the whole program.
namespace rp::product {
namespace {

class ExecProductTest : public LabTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(methods());
    start_pair(
        {"--exec", methods().string(), "--exec-processes-max", "4", "--exec-queue-max", "0"});
  }

  pid_t process_in(const std::string& name) {
    const auto file = authority_.scratch(name);
    EXPECT_TRUE(eventually([&] { return read_text(file).ends_with('\n'); }));
    return static_cast<pid_t>(std::atoi(read_text(file).c_str()));
  }

  static bool gone(pid_t pid) {
    const auto stat = read_text("/proc/" + std::to_string(pid) + "/stat");
    return stat.empty() || contains(stat, ") Z");
  }
};

TEST_F(ExecProductTest, AnsweredOnBothNodes) {
  script("get_greet.sh", R"(echo "hello $1, said $RESTPIPE_CALLER to $RESTPIPE_NODE")");
  script("post_sum", "awk '{ s += $1 } END { print s; exit s > 9 ? 3 : 0 }'");
  expect_reply(curl({S("/client/alpha/greet//you")}), "0", "text/plain",
               "hello you, said hub to alpha\n");
  expect_reply(curl({C("/server/greet//me")}), "0", "text/plain", "hello me, said alpha to hub\n");
  const auto data = data_file("numbers", "1\n2\n3\n");
  expect_reply(curl({"--data-binary", data, S("/client/alpha/sum")}), "0", "text/plain", "6\n");
  const auto more = data_file("numbers", "8\n2\n");
  expect_reply(curl({"--data-binary", more, S("/client/alpha/sum")}), "3", "text/plain", "10\n");
  expect_no_such_method(curl({S("/client/alpha/nothing")}));
}

TEST_F(ExecProductTest, ErrorsAreSaidWithoutPathsAndLoggedWithThem) {
  script("get_bad", "cat /no/such/place/report.txt");
  const auto response = curl({S("/client/alpha/bad")});
  EXPECT_EQ(response.code().value_or(""), "1");
  EXPECT_EQ(response.body, "cat: report.txt: No such file or directory");
  EXPECT_TRUE(client_->process().err_line("/no/such/place/report.txt"));
  EXPECT_TRUE(client_->process().err_line(response.header("x-request-id").value_or("absent")));
  script("get_crash", "kill -ABRT $$");
  const auto crash = curl({S("/client/alpha/crash")});
  expect_refusal(crash, 502);
  EXPECT_TRUE(contains(crash.body, "handler_crashed")) << crash.body;
}

TEST_F(ExecProductTest, AHangUpEndsTheProcess) {
  script("get_wait", "echo $$ > ../leader; exec sleep 600");
  auto waits = std::make_unique<CurlRun>(std::vector<std::string>{S("/client/alpha/wait")});
  const auto pid = process_in("leader");
  waits.reset();
  EXPECT_TRUE(eventually([&] { return gone(pid); }));
}

TEST_F(ExecProductTest, TheDeadlineEndsTheProcess) {
  script("get_wait", "echo $$ > ../leader; echo $RESTPIPE_TIME_LEFT_MS > ../left; exec sleep 600");
  const auto response = curl({"-H", "Request-Timeout: 0.5", S("/client/alpha/wait")});
  EXPECT_EQ(response.status, 504);
  EXPECT_TRUE(eventually([&] { return gone(process_in("leader")); }));
  const auto left = process_in("left");
  EXPECT_GT(left, 0);
  EXPECT_LE(left, 500);
}

TEST_F(ExecProductTest, MoreThanTheBoundIsRefusedNotQueuedForEver) {
  script("get_wait", "echo $$ >> ../waiting; exec sleep 600");
  script("get_quick", "echo quick");
  std::vector<std::unique_ptr<CurlRun>> waits;
  for (int i = 0; i < 4; ++i) {
    waits.push_back(std::make_unique<CurlRun>(std::vector<std::string>{S("/client/alpha/wait")}));
  }
  ASSERT_TRUE(
      eventually([&] { return lines_of(read_text(authority_.scratch("waiting"))).size() >= 4; }));
  const auto refused = curl({S("/client/alpha/quick")});
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(contains(refused.body, "overloaded")) << refused.body;
  waits.clear();
  EXPECT_TRUE(eventually([&] { return curl({S("/client/alpha/quick")}).status == 200; }));
}

TEST_F(ExecProductTest, ALargeBodyStreamsThroughAProcess) {
  script("post_count", "wc -c");
  script("get_zeros", "head -c \"$1\" /dev/zero");
  const auto data = data_file("large", std::string(20'000'000, 'x'));
  const auto counted = curl({"--data-binary", data, S("/client/alpha/count")});
  EXPECT_EQ(std::atoi(counted.body.c_str()), 20'000'000) << counted.body << counted.error;
  EXPECT_EQ(curl({S("/client/alpha/zeros//30000000")}).body.size(), 30'000'000U);
}

TEST_F(ExecProductTest, ANodeThatStopsTakesItsProcessesAlong) {
  script("get_wait", "trap '' TERM; echo $$ > ../leader; while :; do sleep 1; done");
  CurlRun waits({S("/client/alpha/wait")});
  const auto pid = process_in("leader");
  server_.reset();
  ASSERT_TRUE(client_->process().running());
  EXPECT_EQ(client_->stop(), 0);
  EXPECT_TRUE(gone(pid));
}

TEST_F(LabTest, ADirectoryOfMethodsThatOthersMayWriteStopsTheStart) {
  const auto methods = authority_.scratch("open");
  std::filesystem::create_directory(methods);
  std::filesystem::permissions(methods, std::filesystem::perms(0777));
  const auto command = node_command(
      Role::server, {.identity = authority_.server(), .flags = {"--exec", methods.string()}});
  const auto finished = run(command);
  EXPECT_EQ(finished.exit_code, 7);
  EXPECT_TRUE(contains(finished.err, "may be written by its group or others")) << finished.err;
}

}  // namespace
}  // namespace rp::product
