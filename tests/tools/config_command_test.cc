#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/temporary_directory.h"
#include "tests/tools/program_run.h"

namespace rp::tools {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class ConfigCommandTest : public testing::Test {
 protected:
  Outcome check(const std::string& text, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"config", "check", "--config",
                                       directory_.write("n.toml", text).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  node::TemporaryDirectory directory_;
};

TEST_F(ConfigCommandTest, SaysThatAFileIsGoodAndForWhom) {
  EXPECT_EQ(check("listen = 'a:1'").out, "ok: settings of a server node\n");
  EXPECT_EQ(check("server = 'a:1'").out, "ok: settings of a client node\n");
  EXPECT_EQ(check("server = 'a:1'").exit_code, 0);
}

TEST_F(ConfigCommandTest, NamesEachMistakeInOrderAndEndsWithThree) {
  const Outcome outcome = check("lisen = 'x'\nname = 5\n[log]\nlevel = 'loud'\n", {"server"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.out, IsEmpty());
  const auto first = outcome.err.find("n.toml:1:1: unknown setting \"lisen\"");
  const auto second = outcome.err.find("n.toml:2:8: name is an integer");
  const auto third = outcome.err.find("n.toml:4:1: log.level = \"loud\" is not a log level");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(third, outcome.err.npos);
}

TEST_F(ConfigCommandTest, ARoleThatIsGivenIsTheRoleThatIsChecked) {
  EXPECT_EQ(check("listen = 'a:1'", {"client"}).exit_code, 3);
  EXPECT_EQ(check("listen = 'a:1'", {"router"}).exit_code, 2);
}

TEST_F(ConfigCommandTest, ShowsValuesWithTheirOrigin) {
  const auto file = directory_.write("n.toml", "name = 'alpha'").string();
  const Outcome outcome = run({"config", "show", "--effective", "--config", file, "client"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("name = \"alpha\"  # " + file + ":1:1\n"));
  EXPECT_THAT(outcome.out, HasSubstr("server = [\"localhost:1234\"]  # default\n"));
}

TEST_F(ConfigCommandTest, TheDefaultFilePassesItsOwnCheck) {
  for (const char* role : {"server", "client"}) {
    const std::string text = run({"config", "default", role}).out;
    EXPECT_THAT(text, HasSubstr("# Accepted: "));
    EXPECT_EQ(check(text, {role}).exit_code, 0);
  }
}

}  // namespace
}  // namespace rp::tools
