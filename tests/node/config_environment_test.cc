#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/config.h"
#include "tests/node/temporary_directory.h"

namespace rp::node {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Config load(Role role, std::map<std::string, std::string> environment) {
  Sources sources;
  sources.environment = std::move(environment);
  return load_config(role, std::move(sources));
}

std::vector<std::string> problems(Role role, std::map<std::string, std::string> environment) {
  try {
    load(role, std::move(environment));
  } catch (const ConfigError& error) {
    return error.lines();
  }
  return {};
}

// Parity row 64.
TEST(ConfigEnvironmentTest, TheReferencesVariablesReachTheServer) {
  const Config config = load(Role::server, {{"RP_SERVER_BIND_INTERFACE", "127.0.0.1"},
                                            {"RP_SERVER_BIND_PORT", "4321"},
                                            {"RP_SERVER_CERT_PATH", "/srv/keys"},
                                            {"RP_SERVER_KEY_FILENAME", "k.pem"},
                                            {"RP_SERVER_CRT_FILENAME", "/abs/c.pem"},
                                            {"RP_CA_CRT_FILENAME", "ca.pem"},
                                            {"RP_CLIENT_TARGET_PORT", "not a number"}});
  EXPECT_EQ(to_string(config.listen), "127.0.0.1:4321");
  EXPECT_EQ(config.identity_key_file, "/srv/keys/k.pem");
  EXPECT_EQ(config.identity_crt_file, "/abs/c.pem");
  EXPECT_EQ(config.identity_ca_file, "/srv/keys/ca.pem");
}

// Parity row 64.
TEST(ConfigEnvironmentTest, TheReferencesVariablesReachTheClient) {
  const Config config = load(Role::client, {{"RP_CLIENT_TARGET_HOSTNAME", "pipe.example"},
                                            {"RP_CLIENT_TARGET_PORT", "4321"},
                                            {"RP_CLIENT_CERT_PATH", "/srv/keys"},
                                            {"RP_CLIENT_KEY_FILENAME", "k.pem"},
                                            {"RP_CLIENT_CRT_FILENAME", "c.pem"},
                                            {"RP_SERVER_CERT_PATH", "/elsewhere"}});
  EXPECT_THAT(config.servers, ElementsAre(HostPort{"pipe.example", 4321}));
  EXPECT_EQ(config.identity_key_file, "/srv/keys/k.pem");
  EXPECT_EQ(config.identity_crt_file, "/srv/keys/c.pem");
}

// Parity row 64.
TEST(ConfigEnvironmentTest, HalfAnAddressIsCompletedAsInTheReference) {
  EXPECT_EQ(to_string(load(Role::server, {{"RP_SERVER_BIND_PORT", "7"}}).listen), "0.0.0.0:7");
  EXPECT_EQ(to_string(load(Role::server, {{"RP_SERVER_BIND_INTERFACE", "::1"}}).listen),
            "[::1]:1234");
  EXPECT_THAT(load(Role::client, {{"RP_CLIENT_TARGET_HOSTNAME", "h"}}).servers,
              ElementsAre(HostPort{"h", 1234}));
}

// Parity row 65.
TEST(ConfigEnvironmentTest, TheHeartbeatVariablesReachBothNodes) {
  for (const Role role : {Role::server, Role::client}) {
    const Config fast = load(role, {{"RP_CLIENT_HEARTBEAT_INTERVAL_S", "1"}});
    EXPECT_EQ(fast.heartbeat_interval, seconds(1));
    EXPECT_EQ(fast.heartbeat_timeout, seconds(2));
    const Config slow = load(role, {{"RP_CLIENT_HEARTBEAT_TIMEOUT_S", "30"}});
    EXPECT_EQ(slow.heartbeat_timeout, seconds(30));
    EXPECT_THAT(problems(role, {{"RP_CLIENT_HEARTBEAT_INTERVAL_S", "5x"}}),
                ElementsAre(HasSubstr("RP_CLIENT_HEARTBEAT_INTERVAL_S: \"5x\"")));
  }
}

// Parity row 68.
TEST(ConfigEnvironmentTest, EitherEmptyStatsdVariableIsOff) {
  EXPECT_FALSE(load(Role::server, {{"RP_STATSD_HOST", ""}, {"RP_STATSD_PORT", ""}}).statsd);
  EXPECT_FALSE(load(Role::server, {{"RP_STATSD_HOST", ""}}).statsd);
  EXPECT_FALSE(load(Role::server, {{"RP_STATSD_HOST", "h"}, {"RP_STATSD_PORT", ""}}).statsd);
  EXPECT_EQ(load(Role::server, {{"RP_STATSD_PORT", "9"}}).statsd, (HostPort{"localhost", 9}));
  EXPECT_EQ(load(Role::server, {{"RP_STATSD_HOST", "h"}}).statsd, (HostPort{"h", 8125}));
}

// Parity row 75.
TEST(ConfigEnvironmentTest, DebugIsAStrictNumber) {
  EXPECT_EQ(load(Role::server, {{"DEBUG", "1"}}).log_level, LogLevel::debug);
  EXPECT_EQ(load(Role::server, {{"DEBUG", "0"}}).log_level, LogLevel::info);
  EXPECT_EQ(load(Role::server, {{"DEBUG", ""}}).log_level, LogLevel::info);
  EXPECT_EQ(load(Role::server, {{"DEBUG", "1"}, {"RESTPIPE_LOG_LEVEL", "error"}}).log_level,
            LogLevel::error);
  EXPECT_THAT(problems(Role::server, {{"DEBUG", "yes"}}),
              ElementsAre(HasSubstr("DEBUG: yes is not a whole number")));
}

TEST(ConfigEnvironmentTest, AHandlerClassIsAPluginOrAnErrorThatSaysSo) {
  const Config config = load(Role::server, {{"RP_EVENT_HANDLER_FQ_CLASS", "/opt/mine.so"}});
  EXPECT_THAT(config.handlers, ElementsAre("/opt/mine.so"));
  EXPECT_THAT(
      problems(Role::client, {{"RP_EVENT_HANDLER_FQ_CLASS", "mine.Handler"}}),
      ElementsAre(AllOf(HasSubstr("mine.Handler names a Python class"), HasSubstr("--handlers"))));
}

TEST(ConfigEnvironmentTest, ACallbackClassIsAWarning) {
  const std::map<std::string, std::string> environment{
      {"RP_SERVER_CONNECTION_STATE_CHANGE_EVENT_CLASS", "a.B"}};
  EXPECT_THAT(load(Role::server, environment).warnings,
              ElementsAre(HasSubstr("RP_SERVER_CONNECTION_STATE_CHANGE_EVENT_CLASS (a.B)")));
  EXPECT_THAT(load(Role::client, environment).warnings, IsEmpty());
}

TEST(ConfigEnvironmentTest, AUserConfigModuleIsATomlFile) {
  const TemporaryDirectory directory;
  const auto file = directory.write("mine.toml", "name = 'from-file'");
  EXPECT_EQ(load(Role::server, {{"RP_SERVER_USER_CONFIG_MODULE", file}}).name, "from-file");
  EXPECT_EQ(load(Role::client, {{"RP_CLIENT_USER_CONFIG_MODULE", file}}).name, "from-file");
  EXPECT_EQ(load(Role::client, {{"RP_SERVER_USER_CONFIG_MODULE", file}}).name, "");
  EXPECT_THAT(problems(Role::server, {{"RP_SERVER_USER_CONFIG_MODULE", "my.config"}}),
              ElementsAre(HasSubstr("names a Python module; accepted: the path of a TOML file")));

  const auto other = directory.write("other.toml", "name = 'other'");
  EXPECT_EQ(
      load(Role::server, {{"RP_SERVER_USER_CONFIG_MODULE", file}, {"RESTPIPE_CONFIG", other}}).name,
      "other");
}

TEST(ConfigEnvironmentTest, AnEmptyVariableIsAnAbsentOne) {
  const Config config = load(
      Role::server, {{"RESTPIPE_LISTEN", ""}, {"RP_SERVER_BIND_PORT", ""}, {"RESTPIPE_REST", ""}});
  EXPECT_EQ(to_string(config.listen), "0.0.0.0:1234");
  EXPECT_EQ(config.rest.size(), 1U);
}

TEST(ConfigEnvironmentTest, MisspeltNamesAreWarnedOfAndOtherProgramsAreLeftAlone) {
  EXPECT_THAT(load(Role::server, {{"RESTPIPE_LISEN", "x"}}).warnings,
              ElementsAre(AllOf(HasSubstr("RESTPIPE_LISEN"), HasSubstr("mean RESTPIPE_LISTEN?"))));
  EXPECT_THAT(load(Role::server, {{"RP_SERVER_BIND_IP", "x"}}).warnings,
              ElementsAre(HasSubstr("did you mean RP_SERVER_BIND_INTERFACE?")));
  EXPECT_THAT(
      load(Role::server, {{"RP_GUNICORN_PATH", "/x"}, {"RP_OTHER", "y"}, {"PATH", "z"}}).warnings,
      IsEmpty());
}

TEST(ConfigEnvironmentTest, VariablesOfTheOtherRoleAreIgnored) {
  EXPECT_NO_THROW(load(Role::client, {{"RESTPIPE_LISTEN", "nonsense"}}));
  EXPECT_THAT(load(Role::client, {{"RESTPIPE_LISTEN", "nonsense"}}).warnings, IsEmpty());
}

TEST(ConfigEnvironmentTest, ControlBytesOfAVariableDoNotReachTheTerminal) {
  for (const std::string& line : problems(Role::server, {{"RESTPIPE_LISTEN", "\x1b[2J\n:x"}})) {
    EXPECT_EQ(line.find_first_of("\x1b\n"), line.npos);
  }
}

}  // namespace
}  // namespace rp::node
