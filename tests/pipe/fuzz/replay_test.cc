#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

/// Runs a fuzz target over its committed corpus, and over inputs that differ from it in a few
/// bytes; the target aborts where a property does not hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::vector<std::uint8_t>> corpus() {
  std::vector<std::vector<std::uint8_t>> inputs;
  for (const auto& entry : std::filesystem::directory_iterator(RP_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

TEST(FuzzReplayTest, HoldsForTheCorpus) {
  const auto inputs = corpus();
  ASSERT_GE(inputs.size(), 5U) << RP_CORPUS;
  for (const auto& input : inputs) {
    EXPECT_EQ(LLVMFuzzerTestOneInput(input.data(), input.size()), 0);
  }
}

TEST(FuzzReplayTest, HoldsForNeighboursOfTheCorpus) {
  std::mt19937 random(1);
  for (const auto& input : corpus()) {
    for (int i = 0; i < 200; ++i) {
      auto changed = input;
      for (auto n = 1 + random() % 3; n > 0 && !changed.empty(); --n) {
        changed[random() % changed.size()] = static_cast<std::uint8_t>(random());
      }
      if (random() % 4 == 0) changed.resize(random() % (changed.size() + 1));
      EXPECT_EQ(LLVMFuzzerTestOneInput(changed.data(), changed.size()), 0);
    }
  }
}

}  // namespace
