#include "node/config.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/config_schema.h"
#include "tests/node/temporary_directory.h"

namespace rp::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class ConfigTest : public testing::Test {
 protected:
  void file_holds(const std::string& text) { sources_.file = directory_.write("node.toml", text); }

  const Effective& effective(const Config& config, std::string_view key) {
    for (const Effective& value : config.values) {
      if (value.key == key) return value;
    }
    throw std::out_of_range(std::string(key));
  }

  std::vector<std::string> problems(Role role) {
    try {
      load_config(role, sources_);
    } catch (const ConfigError& error) {
      EXPECT_EQ(error.code(), ExitCode::configuration);
      return error.lines();
    }
    return {};
  }

  TemporaryDirectory directory_;
  Sources sources_;
};

TEST_F(ConfigTest, ServesWithDefaultsAlone) {
  const Config server = load_config(Role::server, sources_);
  EXPECT_EQ(to_string(server.listen), "0.0.0.0:1234");
  ASSERT_EQ(server.rest.size(), 1U);
  EXPECT_EQ(server.rest[0].port, 8989);
  EXPECT_EQ(server.identity_key_file, "/var/lib/restpipe/restpipe.server.key.pem");
  EXPECT_EQ(server.connection_wait, seconds(20));
  EXPECT_EQ(server.call_timeout, seconds(300));
  EXPECT_EQ(server.drain_timeout, seconds(10));
  EXPECT_EQ(server.heartbeat_timeout, seconds(10));  // twice the interval of 5 s
  EXPECT_EQ(server.calls_in_flight_max, 4096U);
  EXPECT_EQ(server.body_bytes_max, 64U << 20);
  EXPECT_EQ(server.unauthenticated_max, 512U);
  EXPECT_EQ(server.unauthenticated_per_source_max, 64U);
  EXPECT_EQ(server.statsd, (HostPort{"localhost", 8125}));
  EXPECT_EQ(server.threads, std::max(1U, std::thread::hardware_concurrency()));
  EXPECT_TRUE(server.handlers.empty());
  EXPECT_TRUE(server.warnings.empty());

  const Config client = load_config(Role::client, sources_);
  EXPECT_THAT(client.servers, ElementsAre(HostPort{"localhost", 1234}));
  EXPECT_EQ(client.rest[0].port, 8990);
  EXPECT_EQ(client.identity_crt_file, "/var/lib/restpipe/restpipe.client.crt.pem");
}

TEST_F(ConfigTest, TakesTheStrongestLayer) {
  struct Row {
    bool flag, environment, reference, file;
    const char* expected;
    const char* origin;
  };
  const std::string in_file = (directory_.path() / "node.toml").string() + ":1:1";
  for (const Row& row : {Row{true, true, true, true, "flag:1", "--listen"},
                         Row{false, true, true, true, "env:1", "RESTPIPE_LISTEN"},
                         Row{false, false, true, true, "ref:1234", "RP_SERVER_BIND_INTERFACE"},
                         Row{false, false, false, true, "file:1", in_file.c_str()},
                         Row{false, false, false, false, "0.0.0.0:1234", "default"}}) {
    sources_ = {};
    if (row.flag) sources_.flags["listen"] = {"flag:1"};
    if (row.environment) sources_.environment["RESTPIPE_LISTEN"] = "env:1";
    if (row.reference) sources_.environment["RP_SERVER_BIND_INTERFACE"] = "ref";
    if (row.file) file_holds("listen = 'file:1'");
    const Config config = load_config(Role::server, sources_);
    EXPECT_EQ(to_string(config.listen), row.expected);
    EXPECT_EQ(effective(config, "listen").origin, row.origin);
  }
}

TEST_F(ConfigTest, AWrongValueOfAWeakerLayerIsStillAnError) {
  file_holds("listen = 'nonsense'");
  sources_.flags["listen"] = {"127.0.0.1:0"};
  EXPECT_THAT(problems(Role::server), ElementsAre(HasSubstr("node.toml:1:1: listen")));
}

TEST_F(ConfigTest, ListsOfAStrongerLayerReplaceThoseOfAWeakerOne) {
  file_holds("rest = ['127.0.0.1:1', '127.0.0.1:2']");
  sources_.flags["rest"] = {"unix:/run/a.sock,127.0.0.1:0", "127.0.0.1:3"};
  const Config config = load_config(Role::server, sources_);
  ASSERT_EQ(config.rest.size(), 3U);
  EXPECT_EQ(config.rest[0].unix_path, "/run/a.sock");
  EXPECT_EQ(config.rest[2].port, 3);
}

TEST_F(ConfigTest, RelativePathsStartWhereTheyAreWritten) {
  file_holds("identity = 'keys'\nidentity_crl_file = '/etc/crl.pem'\nhandlers = ['a.so']");
  sources_.flags["data"] = {"data"};
  const Config config = load_config(Role::server, sources_);
  EXPECT_EQ(config.identity_dir, directory_.path() / "keys");
  EXPECT_EQ(config.identity_ca_file, directory_.path() / "keys/ca.crt.pem");
  EXPECT_EQ(config.identity_crl_file, "/etc/crl.pem");
  EXPECT_THAT(config.handlers, ElementsAre(directory_.path() / "a.so"));
  EXPECT_EQ(config.data_dir, std::filesystem::current_path() / "data");
}

TEST_F(ConfigTest, KeepsNumbersInTheirRange) {
  struct Row {
    const char* key;
    const char* low;
    const char* high;
  };
  for (const Row& row : {Row{"call_timeout", "0", "25h"}, Row{"heartbeat.interval", "0.01", "11m"},
                         Row{"limits.calls_in_flight_max", "0", "65537"},
                         Row{"limits.body_bytes_max", "0", "513MiB"},
                         Row{"worker_threads", "0", "1025"}, Row{"threads", "-1", "257"}}) {
    for (const char* text : {row.low, row.high}) {
      sources_.flags = {{row.key, {text}}};
      EXPECT_THAT(problems(Role::server), ElementsAre(HasSubstr("accepted: "))) << row.key << text;
    }
  }
}

TEST_F(ConfigTest, NamesBothSidesOfAContradiction) {
  file_holds("[reconnect]\nbase = 8");
  sources_.flags["reconnect.cap"] = {"3"};
  EXPECT_THAT(problems(Role::client),
              ElementsAre(AllOf(HasSubstr("--reconnect-cap: reconnect.cap (3s)"),
                                HasSubstr("reconnect.base (8s, "), HasSubstr("node.toml:2:1)"))));

  sources_ = {};
  sources_.flags["reconnect.base"] = {"6"};
  EXPECT_THAT(problems(Role::client), ElementsAre(HasSubstr("reconnect.cap (5s) is shorter")));
}

TEST_F(ConfigTest, NounsStandForDirectoriesAndApplications) {
  file_holds(R"(exec = ["methods"]
files = ["docs=public", "a/b=/srv/x=y"]
proxy = ["app=http://127.0.0.1:3000", "blog=unix:/run/blog.sock"])");
  const Config config = load_config(Role::client, sources_);
  const auto home = sources_.file->parent_path();
  EXPECT_THAT(config.exec, ElementsAre(home / "methods"));
  EXPECT_THAT(config.files,
              ElementsAre(FilesMount{"docs", home / "public"}, FilesMount{"a/b", "/srv/x=y"}));
  ASSERT_EQ(config.proxy.size(), 2U);
  EXPECT_EQ(config.proxy[0].address.authority(), "127.0.0.1:3000");
  EXPECT_EQ(config.proxy[1].address.unix_path, "/run/blog.sock");
  EXPECT_EQ(config.exec_processes_max, 16U);
}

TEST_F(ConfigTest, SaysWhatIsWrongWithAMount) {
  const auto problem = [&](const std::string& key, const std::vector<std::string>& items) {
    sources_.flags = {{key, items}};
    const auto found = problems(Role::server);
    return found.empty() ? std::string("(taken)") : found.front();
  };
  EXPECT_THAT(problem("files", {"/srv"}), HasSubstr("\"/srv\" holds no '='; accepted: NOUN=DIR"));
  EXPECT_THAT(problem("files", {"docs="}), HasSubstr("names no directory"));
  EXPECT_THAT(problem("files", {"a//b=/srv"}), HasSubstr("begins with no noun"));
  EXPECT_THAT(problem("files", {"=/srv"}), HasSubstr("begins with no noun"));
  EXPECT_THAT(problem("files", {"a=/x", "a=/y"}), HasSubstr("\"a=/y\" repeats a noun"));
  EXPECT_THAT(problem("proxy", {"app=https://x"}), HasSubstr("accepted: NOUN=http://HOST:PORT"));
  EXPECT_THAT(problem("proxy", {"app=3000"}), HasSubstr("names no address"));
  sources_.flags = {{"files", {"app=/srv"}}, {"proxy", {"app=unix:/x"}}};
  EXPECT_THAT(problems(Role::server), ElementsAre(HasSubstr("is also a noun of files")));
}

TEST_F(ConfigTest, SaysTheFirstProblemAndHowManyFollow) {
  sources_.flags["listen"] = {"x"};
  sources_.flags["log.level"] = {"loud"};
  try {
    load_config(Role::server, sources_);
    FAIL() << "nothing was refused";
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.lines().size(), 2U);
    EXPECT_THAT(error.what(), HasSubstr("--listen: \"x\" has no :PORT"));
    EXPECT_THAT(error.what(), HasSubstr("(and 1 more"));
  }
}

TEST_F(ConfigTest, RefusesServersThatCannotBeDialled) {
  sources_.flags["server"] = {"a:1,b:0"};
  EXPECT_THAT(problems(Role::client), ElementsAre(HasSubstr("\"b:0\" names no port to dial")));
  sources_.flags["server"] = {"a:1,"};
  EXPECT_THAT(problems(Role::client), ElementsAre(HasSubstr("\"\" has no :PORT")));
}

TEST_F(ConfigTest, StatsdIsOffWhenEmptyInAnyLayer) {
  sources_.flags["statsd"] = {""};
  EXPECT_FALSE(load_config(Role::server, sources_).statsd);
  sources_ = {};
  sources_.environment["RESTPIPE_STATSD"] = "";
  EXPECT_FALSE(load_config(Role::server, sources_).statsd);
  sources_ = {};
  file_holds("statsd = ''");
  EXPECT_FALSE(load_config(Role::server, sources_).statsd);
}

TEST_F(ConfigTest, ReloadReadsTheFileAgainAndTellsWhatNeedsARestart) {
  file_holds("listen = 'a:1'\n[log]\nlevel = 'info'\n");
  const Config before = load_config(Role::server, sources_);
  file_holds("listen = 'b:1'\n[log]\nlevel = 'debug'\n");
  const Config after = reload_config(before);
  EXPECT_EQ(after.log_level, LogLevel::debug);
  EXPECT_EQ(after.listen.host, "b");
  EXPECT_THAT(keys_needing_restart(before, after), ElementsAre("listen"));
  EXPECT_THAT(keys_needing_restart(after, after), ElementsAre());
}

TEST_F(ConfigTest, EveryDefaultIsAcceptedByItsOwnSetting) {
  for (const Role role : {Role::server, Role::client}) {
    const Config config = load_config(role, sources_);
    for (const Setting& setting : all_settings()) {
      if (!has(setting, role)) continue;
      sources_.flags[std::string(setting.key)] = effective(config, setting.key).items;
    }
    EXPECT_NO_THROW(load_config(role, sources_));
    sources_ = {};
  }
}

TEST_F(ConfigTest, EveryKeyHasItsOwnFlagAndVariable) {
  std::set<std::string> flags;
  std::set<std::string> variables;
  for (const Setting& setting : all_settings()) {
    EXPECT_TRUE(flags.insert(flag_name(setting)).second) << setting.key;
    EXPECT_TRUE(variables.insert(variable_name(setting)).second) << setting.key;
    EXPECT_EQ(find_setting(setting.key), &setting);
  }
  EXPECT_TRUE(flags.contains("--log-level"));
  EXPECT_TRUE(variables.contains("RESTPIPE_LOG_LEVEL"));
  EXPECT_EQ(find_setting("log-level"), find_setting("log.level"));
  EXPECT_EQ(find_setting("wibble"), nullptr);
}

}  // namespace
}  // namespace rp::node
