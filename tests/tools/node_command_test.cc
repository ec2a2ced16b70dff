#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/config_schema.h"
#include "tests/tools/program_run.h"

namespace rp::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(NodeCommandTest, RunsTheNodeWithItsFlags) {
  const Outcome outcome = run({"server", "--listen", "127.0.0.1:0", "--rest=127.0.0.1:0", "--rest",
                               "unix:/run/a.sock", "--log-level", "debug", "--allow-host",
                               "a.example,b.example", "--connection-wait", "1.5"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  ASSERT_EQ(outcome.nodes.size(), 1U);
  const node::Config& config = outcome.nodes[0];
  EXPECT_EQ(config.role, node::Role::server);
  EXPECT_EQ(to_string(config.listen), "127.0.0.1:0");
  ASSERT_EQ(config.rest.size(), 2U);
  EXPECT_EQ(config.rest[1].unix_path, "/run/a.sock");
  EXPECT_EQ(config.log_level, LogLevel::debug);
  EXPECT_THAT(config.allow_hosts, ElementsAre("a.example", "b.example"));
  EXPECT_EQ(config.connection_wait, std::chrono::milliseconds(1500));
}

TEST(NodeCommandTest, AClientDialsTheServersItIsGiven) {
  const Outcome outcome = run({"client", "--server", "a:1,b:2", "--server", "[::1]:3"});
  ASSERT_EQ(outcome.nodes.size(), 1U) << outcome.err;
  EXPECT_THAT(outcome.nodes[0].servers, ElementsAre(node::HostPort{"a", 1}, node::HostPort{"b", 2},
                                                    node::HostPort{"::1", 3}));
}

TEST(NodeCommandTest, ASwitchNeedsNoValue) {
  const Outcome on = run({"server", "--isolate", "--handlers", "/a.so", "--isolated", "/b.so"});
  ASSERT_EQ(on.nodes.size(), 1U) << on.err;
  EXPECT_TRUE(on.nodes[0].isolate);
  EXPECT_THAT(on.nodes[0].isolated, ElementsAre("/b.so"));
  const Outcome off = run({"server", "--isolate=false"});
  ASSERT_EQ(off.nodes.size(), 1U) << off.err;
  EXPECT_FALSE(off.nodes[0].isolate);
  EXPECT_EQ(run({"server", "--isolate=maybe"}).exit_code, 3);
}

TEST(NodeCommandTest, AnEmptyValueIsAValue) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"server", "--statsd", "", "--log-level", "info"},
        {"server", "--statsd=", "--log-level", "info"}}) {
    const Outcome outcome = run(arguments);
    ASSERT_EQ(outcome.nodes.size(), 1U) << outcome.err;
    EXPECT_FALSE(outcome.nodes[0].statsd);
  }
}

TEST(NodeCommandTest, AWrongSettingIsExitCodeThree) {
  const Outcome outcome = run({"server", "--heartbeat-interval", "5x"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err,
              StartsWith("restpipe: --heartbeat-interval: \"5x\" has an unknown unit"));
  EXPECT_EQ(outcome.nodes.size(), 0U);
}

TEST(NodeCommandTest, EverySettingOfTheRoleIsAFlagWithHelp) {
  for (const node::Role role : {node::Role::server, node::Role::client}) {
    const std::string help = run({std::string(name(role)), "--help"}).out;
    for (const node::Setting& setting : node::all_settings()) {
      const bool listed = help.find("  " + flag_name(setting) + ' ') != help.npos;
      EXPECT_EQ(listed, has(setting, role)) << setting.key;
    }
  }
}

}  // namespace
}  // namespace rp::tools
