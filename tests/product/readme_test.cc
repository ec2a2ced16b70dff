#include <algorithm>

#include <gtest/gtest.h>

#include "tests/product/harness/lab.h"

/// The README's first plugin is compiled by the README's command and run.
namespace rp::product {
namespace {

std::string readme() { return read_text(std::filesystem::path(RP_SOURCE_DIR) / "README.md"); }

/// The text between the line "```cpp" and the next "```".
std::string code_block(const std::string& text) {
  const std::string open = "```cpp\n";
  const auto begin = text.find(open);
  if (begin == std::string::npos) return {};
  const auto code = begin + open.size();
  return text.substr(code, text.find("```", code) - code);
}

std::string line_with(const std::string& text, const std::string& part) {
  for (const auto& line : lines_of(text)) {
    if (contains(line, part)) return line;
  }
  return {};
}

TEST_F(LabTest, TheReadmesFirstPluginWorks) {
  const auto text = readme();
  const auto code = code_block(text);
  ASSERT_TRUE(contains(code, "RESTPIPE_PLUGIN(")) << "README.md has no plugin";
  EXPECT_LE(std::count(code.begin(), code.end(), '\n'), 10);
  const auto build = line_with(text, "g++ -std=c++20 -shared");
  ASSERT_FALSE(build.empty()) << "README.md does not say how to build it";

  const auto home = authority_.scratch("plugin");
  std::filesystem::create_directory(home);
  write_text(home / "greeter.cc", code);
  // Installed headers are found by themselves; those of the build tree need to be named.
  const auto compiled = run(
      {.argv = {"sh", "-c", build + " -Wall -Wextra -Werror -I" RP_SDK_INCLUDE}, .directory = home},
      60s);
  ASSERT_EQ(compiled.exit_code, 0) << compiled.err;

  start_pair({"--handlers", (home / "greeter.so").string()});
  EXPECT_EQ(curl({C("/server/hello//you")}).body, "hello you");
  EXPECT_EQ(curl({S("/client/alpha/hello//you")}).body, "hello you");
}

}  // namespace
}  // namespace rp::product
