#include "node/config_values.h"

#include <gtest/gtest.h>

namespace rp::node {
namespace {

using std::chrono::milliseconds;

TEST(ConfigValuesTest, ReadsDurationsToTheMillisecond) {
  struct Row {
    const char* text;
    std::int64_t ms;
  };
  for (const Row& row : {Row{"0", 0}, Row{"5", 5000}, Row{"0.25", 250}, Row{"1.5", 1500},
                         Row{"500ms", 500}, Row{"5s", 5000}, Row{"2m", 120'000},
                         Row{"1.5h", 5'400'000}, Row{"0.001", 1}, Row{"007", 7000}}) {
    const auto parsed = parse_duration(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(*parsed, milliseconds(row.ms)) << row.text;
  }
}

TEST(ConfigValuesTest, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "s", "-1", "+1", " 5", "5 ", "5 s", "5x", "1e3", ".5", "5.", "1.2.3",
                           "0.0001", "0.5ms", "nan", "inf", "0x5", "99999999999999999999"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(ConfigValuesTest, WritesDurationsThatReadBack) {
  for (const std::int64_t ms : {0, 1, 999, 1000, 1500, 60'000, 90'000, 3'600'000, 86'400'000}) {
    const std::string text = duration_text(milliseconds(ms));
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, milliseconds(ms)) << text;
  }
  EXPECT_EQ(duration_text(milliseconds(120'000)), "2m");
}

TEST(ConfigValuesTest, ReadsNumbersOfBytes) {
  struct Row {
    const char* text;
    std::uint64_t bytes;
  };
  for (const Row& row :
       {Row{"0", 0}, Row{"65536", 65536}, Row{"64KiB", 65536}, Row{"64 KiB", 65536},
        Row{"3MiB", 3'145'728}, Row{"2GiB", 2'147'483'648}}) {
    const auto parsed = parse_bytes(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(*parsed, row.bytes) << row.text;
  }
  for (const char* text : {"", "KiB", "1KB", "1kib", "1.5MiB", "-1", "1 ", "99999999999999999999",
                           "18446744073709551615KiB"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

TEST(ConfigValuesTest, ReadsCountsStrictly) {
  EXPECT_EQ(*parse_count("4096"), 4096U);
  for (const char* text :
       {"", "x", "1x", " 1", "1 ", "-1", "+1", "1.0", "0x1", "1e3", "18446744073709551616"}) {
    EXPECT_FALSE(parse_count(text)) << text;
  }
}

TEST(ConfigValuesTest, ReadsSwitches) {
  EXPECT_TRUE(*parse_switch("true"));
  EXPECT_FALSE(*parse_switch("false"));
  for (const char* text : {"", "1", "yes", "True", " true"}) {
    EXPECT_FALSE(parse_switch(text)) << text;
  }
}

TEST(ConfigValuesTest, ReadsModes) {
  EXPECT_EQ(*parse_mode("0660"), 0660U);
  EXPECT_EQ(*parse_mode("600"), 0600U);
  for (const char* text : {"", "0", "66", "06600", "0888", "4755", "rw-", "-600"}) {
    EXPECT_FALSE(parse_mode(text)) << text;
  }
}

TEST(ConfigValuesTest, KnowsNodeNames) {
  EXPECT_TRUE(parse_node_name("work_shop-1.example"));
  EXPECT_TRUE(parse_node_name(std::string(253, 'a')));
  for (const std::string& text :
       {std::string(), std::string("a b"), std::string("a/b"), std::string("*"),
        std::string("caf\xc3\xa9"), std::string(254, 'a')}) {
    EXPECT_FALSE(parse_node_name(text)) << text;
  }
}

TEST(ConfigValuesTest, KnowsHostsAndOrigins) {
  for (const char* text : {"rpserver.local", "10.0.0.7", "[::1]"}) {
    EXPECT_TRUE(parse_allowed_host(text)) << text;
  }
  for (const char* text : {"", "a:80", "::1", "a/b", "http://a", "*"}) {
    EXPECT_FALSE(parse_allowed_host(text)) << text;
  }
  for (const char* text : {"https://ops.example", "http://localhost:3000", "http://[::1]:80"}) {
    EXPECT_TRUE(parse_allowed_origin(text)) << text;
  }
  for (const char* text : {"", "null", "*", "ops.example", "https://", "https://a/", "https://a/b",
                           "ftp://a", "https://a b", "https://u@a"}) {
    EXPECT_FALSE(parse_allowed_origin(text)) << text;
  }
}

TEST(ConfigValuesTest, LowersHeaderNames) {
  EXPECT_EQ(*parse_header_name("X-Request-Id"), "x-request-id");
  for (const char* text : {"", "a b", "a:", "a\r\n", "caf\xc3\xa9"}) {
    EXPECT_FALSE(parse_header_name(text)) << text;
  }
}

TEST(ConfigValuesTest, SplitsListsAtCommas) {
  using List = std::vector<std::string>;
  EXPECT_EQ(split_list(""), List{});
  EXPECT_EQ(split_list("a"), List{"a"});
  EXPECT_EQ(split_list("a,b , c"), (List{"a", "b", "c"}));
  EXPECT_EQ(split_list("a,,b"), (List{"a", "", "b"}));  // an empty item is then refused
}

}  // namespace
}  // namespace rp::node
