#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

/// Runs the fuzz target that is linked in over its committed corpus. A broken promise aborts, so
/// the file at fault is printed before it runs.
TEST(FuzzReplayTest, EveryInputOfTheCorpusKeepsThePromises) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(RP_CORPUS)) {
    SCOPED_TRACE(entry.path().string());
    RecordProperty("last_input", entry.path().filename().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()),
        0);
    ++files;
  }
  EXPECT_GT(files, 20U) << "the corpus is missing: " << RP_CORPUS;
}

/// Each prefix of each input as well: what a connection that breaks off leaves behind.
TEST(FuzzReplayTest, EveryPrefixOfTheCorpusKeepsThePromises) {
  for (const auto& entry : std::filesystem::directory_iterator(RP_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), size),
                0);
  }
}

}  // namespace
