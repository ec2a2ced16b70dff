#include "node/install_paths.h"

#include <gtest/gtest.h>

#include "tests/node/temporary_directory.h"

namespace rp::node {
namespace {

namespace fs = std::filesystem;

TEST(InstallPathsTest, KnowsTheRunningProgram) {
  EXPECT_TRUE(program_path().is_absolute());
  EXPECT_EQ(program_path().filename(), "node_test");
}

TEST(InstallPathsTest, PrefersThePluginBesideTheProgram) {
  const TemporaryDirectory directory;
  fs::create_directories(directory.path() / "plugins");
  const auto plugin = directory.write("plugins/restpipe_demo.so", "");
  EXPECT_EQ(built_in_plugin(directory.path() / "restpipe"), plugin);
}

TEST(InstallPathsTest, FallsBackToTheInstalledPlace) {
  EXPECT_EQ(built_in_plugin("/opt/rp/bin/restpipe"),
            "/opt/rp/lib/restpipe/plugins/restpipe_demo.so");
}

}  // namespace
}  // namespace rp::node
