#include "handlers/linger/array_elements.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rp::handlers::linger {
namespace {

using testing::ElementsAre;

/// The elements up to the last, then what is left of the text.
std::vector<std::string_view> cut(std::string_view text) {
  std::vector<std::string_view> parts;
  while (const auto element = take_element(text)) {
    parts.push_back(element->text);
    if (element->last) break;
  }
  parts.push_back(text);
  return parts;
}

TEST(ArrayElementsTest, CutsBetweenElements) {
  EXPECT_THAT(cut("1]"), ElementsAre("1", ""));
  EXPECT_THAT(cut("1, \"a\" ,\n null\t]"), ElementsAre("1", "\"a\"", "null", ""));
  EXPECT_THAT(cut(R"({"a": [1, {"b": 2}]}, [[], {}]])"),
              ElementsAre(R"({"a": [1, {"b": 2}]})", "[[], {}]", ""));
}

TEST(ArrayElementsTest, NothingInAStringIsStructure) {
  EXPECT_THAT(cut(R"("a,]}[{", "\"],", "\\", {"]": "}"}])"),
              ElementsAre(R"("a,]}[{")", R"("\"],")", R"("\\")", R"({"]": "}"})", ""));
}

TEST(ArrayElementsTest, LeavesWhatFollowsTheLast) {
  EXPECT_THAT(cut("1], 2]"), ElementsAre("1", ", 2]"));
  EXPECT_THAT(cut("1]}"), ElementsAre("1", "}"));
}

TEST(ArrayElementsTest, AnElementMayBeEmpty) {
  EXPECT_THAT(cut("]"), ElementsAre("", ""));
  EXPECT_THAT(cut(" ,]"), ElementsAre("", "", ""));
}

TEST(ArrayElementsTest, FindsNoElementWithoutItsEnd) {
  for (const std::string_view text :
       {"", "1", "[1]", "{\"a\": 1", "\"]", "\"\\\"]", "\"\\", "[,", "{]"}) {
    EXPECT_THAT(cut(text), ElementsAre(text));
  }
  EXPECT_THAT(cut("1, [2"), ElementsAre("1", " [2"));
}

TEST(ArrayElementsTest, TakesBlanksOffBothEnds) {
  EXPECT_EQ(without_outer_blanks(" \t\r\n a b\n"), "a b");
  EXPECT_EQ(without_outer_blanks(" \n"), "");
  EXPECT_EQ(without_outer_blanks(""), "");
}

}  // namespace
}  // namespace rp::handlers::linger
