#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/style/layers.h"
#include "tests/style/rules.h"

/// Holds the whole tree against the rules. Each finding is one line that names file, line and rule.
namespace rp::style {
namespace {

namespace fs = std::filesystem;

constexpr std::array kFolders = {"proto", "pipe",   "certs",  "handlers", "rest", "queue",
                                 "node",  "client", "server", "tools",    "tests"};

std::vector<SourceFile> read_tree(bool with_tests) {
  std::vector<SourceFile> files;
  for (const std::string folder : kFolders) {
    if (folder == "tests" && !with_tests) continue;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(RP_SOURCE_DIR) / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      files.push_back({fs::relative(entry.path(), RP_SOURCE_DIR).generic_string(), text.str()});
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

template <class Rule>
void expect_none(const std::vector<SourceFile>& files, Rule rule) {
  // An empty walk proves nothing.
  ASSERT_GT(files.size(), 10u) << "the tree under " << RP_SOURCE_DIR << " was not found";
  for (const auto& file : files) {
    for (const auto& violation : rule(file)) {
      ADD_FAILURE() << violation.path << ':' << violation.line << ": " << violation.what;
    }
  }
}

// Tests of the rules hold bad samples in strings, which the rules on code do not see. Tests may
// include every layer, and pull OpenSSL into their own headers.
TEST(TreeTest, IncludesPointDown) { expect_none(read_tree(false), wrong_arrows); }
TEST(TreeTest, HeadersHideHeavyLibraries) { expect_none(read_tree(false), leaked_libraries); }
TEST(TreeTest, TheCoreIsPure) { expect_none(read_tree(false), impure_core); }
TEST(TreeTest, NothingIsBornBesideCoAwait) { expect_none(read_tree(true), born_beside_co_await); }
TEST(TreeTest, NothingRunsDetached) { expect_none(read_tree(true), detached_work); }
TEST(TreeTest, FilesAreShort) { expect_none(read_tree(true), too_long); }

}  // namespace
}  // namespace rp::style
