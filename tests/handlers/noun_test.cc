#include "handlers/noun.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rp::handlers {
namespace {

struct Row {
  const char* text;
  const char* noun;
  std::vector<std::string> args;
};

class NounTest : public testing::TestWithParam<Row> {};

TEST_P(NounTest, SplitsAsTheReferenceDoes) {
  const auto parts = split_noun(GetParam().text);
  EXPECT_EQ(parts.noun, GetParam().noun);
  EXPECT_EQ(std::vector<std::string>(parts.args.begin(), parts.args.end()), GetParam().args);
  EXPECT_FALSE(parts.too_many_args);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, NounTest,
    testing::Values(Row{"time", "time", {}}, Row{"time//", "time", {""}},
                    Row{"cat//a/b", "cat", {"a", "b"}}, Row{"cat//a/b//c", "cat", {"a", "b"}},
                    Row{"cat///b", "cat", {"", "b"}}, Row{"cat//a/", "cat", {"a", ""}},
                    Row{"cat//a+b/c+d", "cat", {"a+b", "c+d"}},
                    Row{"cat//hello /world", "cat", {"hello ", "world"}}, Row{"time/", "time/", {}},
                    Row{"", "", {}}, Row{"/time", "/time", {}}, Row{"//a", "", {"a"}},
                    Row{"time////x", "time", {""}}, Row{"cat//caf\xc3\xa9", "cat", {"caf\xc3\xa9"}},
                    Row{"/", "/", {}}, Row{"//", "", {""}}, Row{"///", "", {"", ""}}));

TEST(NounLimitTest, TakesTheLargestNumberOfArgumentsAndRefusesOneMore) {
  const auto with_args = [](std::size_t count) { return "n//" + std::string(count - 1, '/'); };
  // Slashes in a row would end the arguments, so letters stand between them.
  std::string text = "n//a";
  for (std::size_t i = 1; i < kArgsMax; ++i) text.append("/a");
  EXPECT_EQ(split_noun(text).args.size(), kArgsMax);
  text.append("/a");
  EXPECT_TRUE(split_noun(text).too_many_args);
  EXPECT_TRUE(split_noun(text).args.empty());
  EXPECT_EQ(split_noun(with_args(3)).args.size(), 1u);
}

}  // namespace
}  // namespace rp::handlers
