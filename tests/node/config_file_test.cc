#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/config_layers.h"
#include "tests/node/temporary_directory.h"

namespace rp::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> lines(const LayerValues& layer) {
  std::vector<std::string> out;
  for (const Problem& problem : layer.problems) out.push_back(problem.line);
  return out;
}

TEST(ConfigFileTest, ReadsScalarsListsAndSections) {
  const LayerValues layer = read_toml(Role::client,
                                      "name = 'a'\n"
                                      "server = ['x:1', 'y:2']\n"
                                      "call_timeout = 2.5\n"
                                      "connection_wait = '500ms'\n"
                                      "[limits]\n"
                                      "calls_in_flight_max = 7\n",
                                      "c.toml");
  EXPECT_THAT(lines(layer), IsEmpty());
  std::map<std::string, std::vector<std::string>> values;
  for (const Given& given : layer.values) values[std::string(given.setting->key)] = given.items;
  EXPECT_THAT(values["name"], ElementsAre("a"));
  EXPECT_THAT(values["server"], ElementsAre("x:1", "y:2"));
  EXPECT_THAT(values["call_timeout"], ElementsAre("2.5"));
  EXPECT_THAT(values["connection_wait"], ElementsAre("500ms"));
  EXPECT_THAT(values["limits.calls_in_flight_max"], ElementsAre("7"));
}

TEST(ConfigFileTest, ASwitchIsABooleanAndNothingElseIs) {
  const LayerValues layer = read_toml(Role::server, "isolate = true\n", "c.toml");
  ASSERT_EQ(layer.values.size(), 1U);
  EXPECT_THAT(layer.values[0].items, ElementsAre("true"));
  EXPECT_THAT(lines(read_toml(Role::server, "isolate = 'true'\nname = true\n", "c.toml")),
              ElementsAre(HasSubstr("isolate is a string; accepted: true or false"),
                          HasSubstr("name is a boolean; accepted")));
}

TEST(ConfigFileTest, AListMayBeWrittenAsOnFlags) {
  const LayerValues layer = read_toml(Role::client, "server = 'x:1,y:2'", "c.toml");
  ASSERT_EQ(layer.values.size(), 1U);
  EXPECT_THAT(layer.values[0].items, ElementsAre("x:1", "y:2"));
}

TEST(ConfigFileTest, JoinsTheWordsOfAKeyInAnyOfThreeWays) {
  for (const char* text : {"log_level = 'debug'", "log-level = 'debug'", "log.level = 'debug'",
                           "[log]\nlevel = 'debug'"}) {
    const LayerValues layer = read_toml(Role::server, text, "c.toml");
    EXPECT_THAT(lines(layer), IsEmpty()) << text;
    ASSERT_EQ(layer.values.size(), 1U) << text;
    EXPECT_EQ(layer.values[0].setting->key, "log.level") << text;
  }
}

TEST(ConfigFileTest, EachMistakeGetsALineWithItsPlace) {
  struct Row {
    const char* text;
    const char* expected;
  };
  for (const Row& row : {
           Row{"\nlisen = 'x'", "c.toml:2:1: unknown setting \"lisen\"; did you mean \"listen\"?"},
           Row{"wibble = 1", "c.toml:1:1: unknown setting \"wibble\"; `restpipe config default`"},
           Row{"[log]\nlevl = 'x'", "c.toml:2:1: unknown setting \"log.levl\"; did you mean"},
           Row{"[wibble]\na = 1", "c.toml:1:2: unknown setting \"wibble\""},
           Row{"server = 'a:1'", "c.toml:1:1: \"server\" is a setting of a client node"},
           Row{"name = 5", "c.toml:1:8: name is an integer; accepted: "},
           Row{"threads = '4'", "c.toml:1:11: threads is a string; accepted: a whole number"},
           Row{"threads = 1.5", "c.toml:1:11: threads is a decimal number"},
           Row{"call_timeout = true", "c.toml:1:16: call_timeout is a boolean"},
           Row{"call_timeout = [5]", "c.toml:1:16: call_timeout is an array"},
           Row{"call_timeout = 2020-01-01", "c.toml:1:16: call_timeout is a date or time"},
           Row{"listen = {host = 'a'}", "c.toml:1:10: listen is a section"},
           Row{"rest = ['a:1', 2]", "c.toml:1:16: rest item is an integer"},
           Row{"log-level = 'info'\n[log]\nlevel = 'info'", "\"log.level\" is also set at"},
           Row{"name = 'a'\nname = 'b'", "c.toml:2"},
           Row{"[log\n", "c.toml:1:5: "},
           Row{"name = 'a", "c.toml:1:10: "},
           Row{"\"a\\nb\" = 1", "unknown setting \"a\\x0ab\""},
       }) {
    EXPECT_THAT(lines(read_toml(Role::server, row.text, "c.toml")),
                ElementsAre(HasSubstr(row.expected)))
        << row.text;
  }
}

TEST(ConfigFileTest, SaysWhyAFileCannotBeRead) {
  const TemporaryDirectory directory;
  const auto missing = directory.path() / "missing.toml";
  EXPECT_THAT(lines(read_file(Role::server, missing, "--config")),
              ElementsAre(missing.string() +
                          ": cannot be read: No such file or directory (named by --config)"));
  EXPECT_THAT(lines(read_file(Role::server, directory.path(), "RESTPIPE_CONFIG")),
              ElementsAre(HasSubstr("is a directory; accepted: a TOML file (named by RESTPIPE_")));
}

TEST(ConfigFileTest, RefusesAHugeFile) {
  const TemporaryDirectory directory;
  const auto file = directory.write("big.toml", std::string(kConfigFileBytesMax + 1, '#'));
  EXPECT_THAT(lines(read_file(Role::server, file, "--config")),
              ElementsAre(HasSubstr("is larger than 1 MiB")));
  const auto fits = directory.write("fits.toml", std::string(kConfigFileBytesMax, '#'));
  EXPECT_THAT(lines(read_file(Role::server, fits, "--config")), IsEmpty());
}

}  // namespace
}  // namespace rp::node
