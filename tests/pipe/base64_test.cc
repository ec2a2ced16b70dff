#include "pipe/base64.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace rp::pipe {
namespace {

TEST(Base64Test, WritesTheExamplesOfItsStandard) {
  // RFC 4648, section 10.
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("\xff"), "/w==");
}

TEST(Base64Test, ReadsWhatItWrote) {
  std::mt19937 random(7);
  for (std::size_t size = 0; size < 100; ++size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(random()));
    EXPECT_EQ(base64_decoded(base64(bytes)), bytes);
  }
}

TEST(Base64Test, ReadsNothingElse) {
  for (const char* bad : {"a", "ab", "abc", "ab=c", "a===", "ab-_", "====", "YWI=YWI="}) {
    EXPECT_FALSE(base64_decoded(bad)) << bad;
  }
}

}  // namespace
}  // namespace rp::pipe
