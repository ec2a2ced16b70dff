#include "handlers/json_check.h"

#include <string>

#include <gtest/gtest.h>

namespace rp::handlers {
namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonCheckTest, AcceptsOneValueOfAnyKind) {
  for (const char* text : {"{}", "[1, \"x\", null, true, -2.5e3]", "5", "\"\xc3\xa9\"", " null ",
                           "{\"a\": {\"b\": []}}", "\"\\ud83d\\ude00\"", "1e999"}) {
    EXPECT_EQ(json_error(text), std::nullopt) << text;
  }
}

TEST(JsonCheckTest, SaysWhatIsWrongAndWhere) {
  for (const char* text : {"{", "[1,]", "{'a': 1}", "nul", "\"\\x\"", "1 2", "\"\x80\"", "", "NaN",
                           "[1] x", "\"\n\""}) {
    const auto error = json_error(text);
    ASSERT_TRUE(error) << text;
    EXPECT_NE(error->find(" at byte "), std::string::npos) << *error;
  }
}

TEST(JsonCheckTest, RefusesOneLevelBeyondTheDepthLimit) {
  EXPECT_EQ(json_error(nested(kJsonDepthMax)), std::nullopt);
  EXPECT_TRUE(json_error(nested(kJsonDepthMax + 1)));
  EXPECT_TRUE(json_error(std::string(1'000'000, '[')));
}

}  // namespace
}  // namespace rp::handlers
