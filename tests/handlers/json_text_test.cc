#include <array>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <restpipe/sdk/json_text.hpp>

namespace rp {
namespace {

template <class T>
std::string json(const T& value) {
  return Json(value).text();
}

TEST(JsonTextTest, WritesTheGoldenVectorsOfTheReference) {
  EXPECT_EQ(json(5), "5");
  EXPECT_EQ((json(Array{1, "\u00e9", nullptr, true})), R"([1, "\u00e9", null, true])");
  EXPECT_EQ((json(Object{{"time_from_server", 1700000000.123456}})),
            R"({"time_from_server": 1700000000.123456})");
  EXPECT_EQ((json(Object{{"result_from_server", "xy"}})), R"({"result_from_server": "xy"})");
  EXPECT_EQ((json(Object{{"a", Array{1, "x"}}, {"b", Object{}}})), R"({"a": [1, "x"], "b": {}})");
}

TEST(JsonTextTest, TakesTheUsualContainers) {
  EXPECT_EQ(json(std::vector<int>{1, 2}), "[1, 2]");
  EXPECT_EQ(json(std::vector<bool>{true, false}), "[true, false]");
  EXPECT_EQ(json(std::list<std::string>{"a"}), R"(["a"])");
  EXPECT_EQ(json(std::array<int, 2>{3, 4}), "[3, 4]");
  EXPECT_EQ((json(std::map<std::string, std::optional<int>>{{"a", 1}, {"b", std::nullopt}})),
            R"({"a": 1, "b": null})");
  EXPECT_EQ(json(std::tuple(1, "x", nullptr, 2.5)), R"([1, "x", null, 2.5])");
  EXPECT_EQ(json(std::vector<std::vector<int>>{{}, {1}}), "[[], [1]]");
  EXPECT_EQ(json(Json::from_text("{\"raw\":1}")), "{\"raw\":1}");
}

TEST(JsonTextTest, WritesIntegersOfAllWidths) {
  EXPECT_EQ(json(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(json(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(json(std::uint8_t{200}), "200");
}

TEST(JsonTextTest, WritesFloatsByTheirShortestDigits) {
  const std::map<double, std::string> rows = {{5, "5.0"},
                                              {0.1, "0.1"},
                                              {-2.5, "-2.5"},
                                              {100000, "100000.0"},
                                              {1e15, "1000000000000000.0"},
                                              {1e16, "1e+16"},
                                              {1e-4, "0.0001"},
                                              {1e-5, "1e-05"},
                                              {1.0 / 3, "0.3333333333333333"},
                                              {5e-324, "5e-324"},
                                              {1.7976931348623157e308, "1.7976931348623157e+308"}};
  for (const auto& [number, text] : rows) EXPECT_EQ(json(number), text);
  EXPECT_EQ(json(-0.0), "-0.0");
}

TEST(JsonTextTest, RefusesNumbersThatJsonDoesNotHave) {
  EXPECT_THROW(json(std::numeric_limits<double>::infinity()), ValueError);
  EXPECT_THROW(json(std::numeric_limits<double>::quiet_NaN()), ValueError);
}

TEST(JsonTextTest, EscapesControlBytesAndQuotes) {
  EXPECT_EQ(json(std::string_view("\"\\/\b\f\n\r\t\x01\x7f\0", 11)),
            R"("\"\\/\b\f\n\r\t\u0001\u007f\u0000")");
}

TEST(JsonTextTest, EscapesWhatIsNotAsciiWithSurrogatesBeyondTheFirstPlane) {
  EXPECT_EQ(json("caf\u00e9 \u20ac \U0001F600"), R"("caf\u00e9 \u20ac \ud83d\ude00")");
  EXPECT_EQ(json("\uffff\U0010FFFF"), R"("\uffff\udbff\udfff")");
}

TEST(JsonTextTest, RefusesOrReplacesWhatIsNotUtf8) {
  // Lone continuation, overlong, surrogate, beyond the last plane, cut short.
  for (const char* bad : {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xf0\x9f\x98", "\xff"}) {
    EXPECT_THROW(json(bad), ValueError);
    std::string out;
    append_json_string(out, std::string(bad) + "x", OnBadUtf8::replace);
    EXPECT_TRUE(out.starts_with("\"\\ufffd")) << out;
    EXPECT_TRUE(out.ends_with("x\"")) << out;
  }
}

}  // namespace
}  // namespace rp
