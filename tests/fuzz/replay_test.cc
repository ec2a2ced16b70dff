#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

/// Runs the fuzz target that is linked in over its committed corpus and what is close to it. The
/// target aborts where a property does not hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

std::vector<Input> corpus() {
  std::vector<Input> inputs;
  for (const auto& entry : std::filesystem::directory_iterator(RP_CORPUS)) {
    std::ifstream file(entry.path(), std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

TEST(FuzzReplayTest, HoldsForTheCorpus) {
  const auto inputs = corpus();
  ASSERT_GE(inputs.size(), 5U) << RP_CORPUS;
  for (const Input& input : inputs) {
    EXPECT_EQ(LLVMFuzzerTestOneInput(input.data(), input.size()), 0);
  }
}

TEST(FuzzReplayTest, HoldsForWhatABrokenConnectionLeavesOfIt) {
  // Every prefix of a short input; of a long one so many that the test stays quick.
  constexpr std::size_t kPrefixes = 512;
  for (const Input& input : corpus()) {
    const std::size_t step = input.size() / kPrefixes + 1;
    for (std::size_t size = 0; size < input.size(); size += step) {
      EXPECT_EQ(LLVMFuzzerTestOneInput(input.data(), size), 0);
    }
  }
}

TEST(FuzzReplayTest, HoldsForItsNeighbours) {
  std::mt19937 random(1);
  for (const Input& input : corpus()) {
    for (int i = 0; i < 200; ++i) {
      Input changed = input;
      for (auto n = 1 + random() % 3; n > 0 && !changed.empty(); --n) {
        changed[random() % changed.size()] = static_cast<std::uint8_t>(random());
      }
      if (random() % 4 == 0) changed.resize(random() % (changed.size() + 1));
      EXPECT_EQ(LLVMFuzzerTestOneInput(changed.data(), changed.size()), 0);
    }
  }
}

}  // namespace
