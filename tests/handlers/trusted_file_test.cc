#include "handlers/trusted_file.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "handlers/plugin_set.h"
#include "tests/handlers/plugins.h"

namespace rp::handlers {
namespace {

using Names = std::vector<std::string>;

class TrustedFileTest : public testing::Test {
 protected:
  void touch(const std::string& name) {
    std::ofstream{at(name)};
    std::filesystem::permissions(at(name), std::filesystem::perms(0644));
  }
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }

  /// With what words plugin_files() refuses the folder; "" when it does not.
  std::string refusal() const {
    try {
      plugin_files(folder_.path().string());
    } catch (const PluginRefused& e) {
      return e.what();
    }
    return "";
  }

  PluginFolder folder_;
};

TEST_F(TrustedFileTest, NamesAreSortedAndMayBeAskedForAgain) {
  touch("b");
  touch("a");
  touch(".hidden");
  const auto directory = open_trusted(folder_.path().string());
  EXPECT_EQ(names_in(directory.fd), (Names{".hidden", "a", "b"}));
  touch("c");
  EXPECT_EQ(names_in(directory.fd), (Names{".hidden", "a", "b", "c"}));
}

TEST_F(TrustedFileTest, WhatIsNoDirectoryHoldsNothing) {
  touch("file");
  EXPECT_EQ(names_in(open_trusted(at("file")).fd), Names{});
  EXPECT_EQ(names_in(FileDescriptor()), Names{});
}

TEST_F(TrustedFileTest, AFileStandsForItselfAndAFolderForItsLibraries) {
  touch("b.so");
  touch("a.so");
  touch("notes");
  EXPECT_EQ(plugin_files(at("notes")), Names{at("notes")});
  EXPECT_EQ(plugin_files(folder_.path().string()), (Names{at("a.so"), at("b.so")}));
  EXPECT_EQ(plugin_files(at("")), (Names{at("a.so"), at("b.so")}));
}

TEST_F(TrustedFileTest, AFolderWithoutALibraryIsRefused) {
  touch("notes");
  EXPECT_EQ(refusal(), "plugin " + folder_.path().string() +
                           " refused: the folder holds no file that ends in .so");
}

TEST_F(TrustedFileTest, AFolderThatIsNamedLikeALibraryIsRefused) {
  touch("a.so");
  std::filesystem::create_directory(at("b.so"));
  std::filesystem::permissions(at("b.so"), std::filesystem::perms(0755));
  EXPECT_EQ(refusal(), "plugin " + at("b.so") + " refused: it is a folder, not a shared library");
}

}  // namespace
}  // namespace rp::handlers
