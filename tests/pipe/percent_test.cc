#include "pipe/percent.h"

#include <gtest/gtest.h>

namespace rp::pipe {
namespace {

TEST(PercentTest, DecodesOnceAndLeavesWhatIsNoEscape) {
  EXPECT_EQ(percent_decoded("a%2Fb%252F%20"), "a/b%2F ");
  EXPECT_EQ(percent_decoded("%c3%A9+%00"), std::string("\xc3\xa9+\0", 4));
  for (const char* plain : {"", "100%", "%2", "%zz", "%2g", "%g2", "%%", "% 41", "%-1"}) {
    EXPECT_EQ(percent_decoded(plain), plain);
  }
  EXPECT_EQ(percent_decoded("%%41"), "%A");
}

TEST(PercentTest, FindsWholeEscapesOnly) {
  EXPECT_EQ(escaped_byte("a%41", 1), 'A');
  EXPECT_EQ(escaped_byte("%fF", 0), '\xff');
  EXPECT_FALSE(escaped_byte("a%41", 0));
  EXPECT_FALSE(escaped_byte("a%41", 2));
  EXPECT_FALSE(escaped_byte("a%4", 1));
  EXPECT_FALSE(escaped_byte("a", 1));
}

TEST(PercentTest, EncodesAllButLettersDigitsAndTheMarksThatStay) {
  EXPECT_EQ(percent_encoded("aZ09-._~/\xc3\xa9%", kUnreservedMarks), "aZ09-._~%2F%C3%A9%25");
  EXPECT_EQ(percent_encoded("a/b c", "/"), "a/b%20c");
  EXPECT_EQ(percent_encoded("@`[{/:", ""), "%40%60%5B%7B%2F%3A") << "the neighbours of letters";
  EXPECT_EQ(percent_encoded(std::string_view("\0\x7f", 2), kUnreservedMarks), "%00%7F");
}

TEST(PercentTest, EveryByteComesBack) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  EXPECT_EQ(percent_decoded(percent_encoded(bytes, kUnreservedMarks)), bytes);
}

}  // namespace
}  // namespace rp::pipe
