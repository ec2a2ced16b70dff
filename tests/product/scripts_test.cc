#include <gtest/gtest.h>

#include "tests/product/harness/process.h"

/// The two commands of a fresh clone, as far as they go without building.
namespace rp::product {
namespace {

Finished script(const char* name, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), (std::filesystem::path(RP_SOURCE_DIR) / name).string());
  return run({.argv = std::move(arguments), .directory = "/"});
}

TEST(ScriptsTest, SayWhatTheyDoFromAnyFolder) {
  for (const char* name : {"tools/quickstart", "tools/test", "tools/install-packages"}) {
    SCOPED_TRACE(name);
    const auto help = script(name, {"--help"});
    EXPECT_EQ(help.exit_code, 0) << help.err;
    EXPECT_TRUE(help.out.starts_with("usage: " + std::string(name))) << help.out;
  }
}

TEST(ScriptsTest, RefuseWhatTheyDoNotKnow) {
  for (const char* name : {"tools/quickstart", "tools/test", "tools/install-packages"}) {
    SCOPED_TRACE(name);
    const auto wrong = script(name, {"--frobnicate"});
    EXPECT_EQ(wrong.exit_code, 2);
    EXPECT_TRUE(contains(wrong.err, "--frobnicate")) << wrong.err;
  }
  const auto preset = script("tools/test", {"--preset", "fast"});
  EXPECT_EQ(preset.exit_code, 2);
  EXPECT_TRUE(contains(preset.err, "dev, asan and tsan")) << preset.err;
}

}  // namespace
}  // namespace rp::product
