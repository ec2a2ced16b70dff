#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/temporary_directory.h"
#include "tests/tools/program_run.h"

namespace rp::tools {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class PolicyCommandTest : public testing::Test {
 protected:
  Outcome explain(const std::vector<std::string>& question) {
    std::vector<std::string> arguments{"policy", "explain", "--policy", file_};
    arguments.insert(arguments.end(), question.begin(), question.end());
    return run(arguments);
  }

  node::TemporaryDirectory directory_;
  const std::string file_ = directory_
                                .write("policy.toml",
                                       "default = 'deny'\n"
                                       "\n"
                                       "[[rule]]\n"
                                       "from = 'lab-*'\n"
                                       "to = ['printer', 'server']\n"
                                       "verbs = ['get', 'post']\n"
                                       "decision = 'allow'\n"
                                       "comment = 'the lab prints'\n")
                                .string();
};

TEST_F(PolicyCommandTest, SaysWhatIsAllowedAndByWhichLine) {
  const Outcome outcome = explain({"--from", "lab-1", "--to", "printer", "POST", "print/job"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "allowed: lab-1 -> printer: post print/job\nby: " + file_ +
                             ":3\ncomment: \"the lab prints\"\n");
  EXPECT_THAT(outcome.err, IsEmpty());
}

TEST_F(PolicyCommandTest, SaysWhatIsDeniedAndByWhichLine) {
  const Outcome outcome = explain({"--from", "guest", "--to", "printer", "get", "time"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "denied: guest -> printer: get time\nby: " + file_ + ":1 (default)\n");
}

TEST_F(PolicyCommandTest, TheServersOwnHandlersAreMeantUnlessAClientIsNamed) {
  EXPECT_EQ(explain({"--from", "lab-1", "HEAD", "time"}).exit_code, 0);
  EXPECT_EQ(explain({"--from", "lab-1", "--to", "server", "get", "time"}).exit_code, 0);
  EXPECT_EQ(explain({"--from", "lab-1", "--to", "other", "get", "time"}).exit_code, 1);
}

TEST_F(PolicyCommandTest, WithoutAFileTheBuiltInPolicyIsExplained) {
  const Outcome denied = run({"policy", "explain", "--from", "a", "--to", "b", "get", "time"});
  EXPECT_EQ(denied.exit_code, 1);
  EXPECT_THAT(denied.out, HasSubstr("by: built-in policy\n"));
  EXPECT_EQ(run({"policy", "explain", "--from", "a", "get", "time"}).exit_code, 0);
}

TEST_F(PolicyCommandTest, AQuestionThatIsNoneIsAUsageError) {
  EXPECT_EQ(explain({"--to", "printer", "get", "time"}).exit_code, 2);
  EXPECT_EQ(explain({"--from", "lab-1", "get"}).exit_code, 2);
  const Outcome outcome = explain({"--from", "lab-1", "fetch", "time"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("accepted: get, post, put, delete, patch"));
}

TEST_F(PolicyCommandTest, CheckCountsTheRulesOrNamesEveryMistake) {
  EXPECT_EQ(run({"policy", "check", file_}).out, "ok: 1 rule\n");
  const auto broken =
      directory_.write("broken.toml", "defualt = 'deny'\n[[rule]]\nfrom = 5\n").string();
  const Outcome outcome = run({"policy", "check", broken});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, HasSubstr("restpipe: " + broken + ":1:1: unknown key \"defualt\""));
  EXPECT_THAT(outcome.err, HasSubstr("restpipe: " + broken + ":3:8: from holds no text"));
  EXPECT_EQ(run({"policy", "explain", "--policy", broken, "--from", "a", "get", "x"}).exit_code, 3);
}

TEST_F(PolicyCommandTest, ConfigCheckReadsThePolicyToo) {
  const auto config = directory_.write("n.toml", "policy = 'policy.toml'\n").string();
  EXPECT_EQ(run({"config", "check", "--config", config, "server"}).exit_code, 0);
  directory_.write("policy.toml", "default = 'no'\n");
  const Outcome outcome = run({"config", "check", "--config", config, "server"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("policy.toml:1:11: default is neither of its words"));
}

}  // namespace
}  // namespace rp::tools
