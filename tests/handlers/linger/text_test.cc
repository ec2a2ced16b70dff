#include "handlers/linger/text.h"

#include <gtest/gtest.h>

namespace rp::handlers::linger {
namespace {

using namespace std::chrono_literals;

TEST(LingerTextTest, ReadsIntegersAsPythonDoes) {
  for (const auto& [text, value] : std::initializer_list<std::pair<const char*, std::int64_t>>{
           {"0", 0},
           {" 5 ", 5},
           {"+5", 5},
           {"-7", -7},
           {"1_0", 10},
           {"007", 7},
           {"9223372036854775807", INT64_MAX},
           {"-9223372036854775808", INT64_MIN}}) {
    EXPECT_EQ(parse_integer(text), value) << text;
  }
  for (const char* text : {"", " ", "+", "-", "1.0", "1__0", "_1", "1_", "- 1", "1 0", "0x1", "1e3",
                           "9223372036854775808", "\xd9\xa1"}) {
    EXPECT_FALSE(parse_integer(text)) << text;
  }
}

TEST(LingerTextTest, ReadsSecondsToTheMillisecondAndUpwards) {
  const auto read = [](const char* text) { return parse_seconds(text, 1'000'000ms); };
  EXPECT_EQ(read("5"), 5'000ms);
  EXPECT_EQ(read(" +0.25 "), 250ms);
  EXPECT_EQ(read(".5"), 500ms);
  EXPECT_EQ(read("5."), 5'000ms);
  EXPECT_EQ(read("0.0001"), 1ms);
  EXPECT_EQ(read("0.001000"), 1ms);
  EXPECT_EQ(read("000000000000000000001"), 1'000ms);
  EXPECT_EQ(read("1000"), 1'000'000ms);
  for (const char* text :
       {"", ".", "-1", "1e3", "1,5", "1000.0001", "99999999999999999999", "inf"}) {
    EXPECT_FALSE(read(text)) << text;
  }
}

TEST(LingerTextTest, WritesTheShortestSeconds) {
  EXPECT_EQ(seconds_text(30'000ms), "30");
  EXPECT_EQ(seconds_text(500ms), "0.5");
  EXPECT_EQ(seconds_text(1'001ms), "1.001");
  EXPECT_EQ(seconds_text(0ms), "0");
}

TEST(LingerTextTest, ShowsNamesThatAHeaderCanHold) {
  EXPECT_EQ(shown("a b/c%2F"), "a b/c%2F");
  EXPECT_EQ(shown("\xe6\x97\xa5 %"), "%E6%97%A5%20%25");
}

TEST(LingerTextTest, CleansValues) {
  EXPECT_EQ(cleaned(" \t a\x01z \r\n"), "a z");
  EXPECT_EQ(cleaned("a\nb"), "a\nb");
}

TEST(LingerTextTest, NamesAreTextWithoutControlCharacters) {
  for (const char* name : {"a", "a b", "a/b", "\xc3\xa9", "%"}) EXPECT_TRUE(is_name(name)) << name;
  for (const char* name : {"", "a\nb", "\x7f", "\xc3", "\t"}) EXPECT_FALSE(is_name(name)) << name;
}

}  // namespace
}  // namespace rp::handlers::linger
