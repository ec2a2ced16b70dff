#include "pipe/utf8.h"

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace rp::pipe {
namespace {

/// `point` in `bytes` bytes, whether it needs so many or not.
std::string written(std::uint32_t point, std::size_t bytes) {
  if (bytes == 1) return {static_cast<char>(point)};
  std::string text(bytes, '\0');
  for (std::size_t i = bytes - 1; i > 0; --i, point >>= 6) {
    text[i] = static_cast<char>(0x80 | (point & 0x3f));
  }
  text[0] = static_cast<char>((0xff00 >> bytes & 0xff) | point);
  return text;
}

TEST(Utf8Test, TakesEachCharacterInItsShortestFormOnly) {
  struct Form {
    std::size_t bytes;
    std::uint32_t first;  // that needs so many
    std::uint32_t end;    // of what so many have room for
  };
  for (const Form form : {Form{1, 0, 0x80}, Form{2, 0x80, 0x800}, Form{3, 0x800, 0x10000},
                          Form{4, 0x10000, 0x200000}}) {
    for (std::uint32_t point = 0; point < form.end; ++point) {
      const bool surrogate = point >= 0xd800 && point < 0xe000;
      const bool good = point >= form.first && point < 0x110000 && !surrogate;
      const std::string text = written(point, form.bytes);
      ASSERT_EQ(is_utf8(text), good) << std::hex << point << " in " << form.bytes;
      ASSERT_EQ(utf8_character_bytes(text), good ? form.bytes : 0) << std::hex << point;
    }
  }
}

TEST(Utf8Test, RefusesLeadsWithoutTheirTails) {
  for (unsigned lead = 0x80; lead < 0x100; ++lead) {
    for (const char* tail : {"", "a", "\xc3", "\xff"}) {
      EXPECT_FALSE(is_utf8(static_cast<char>(lead) + std::string(tail))) << lead << tail;
    }
  }
  for (const char* bad : {"\xe6\x97", "\xe6\x97z", "\xf0\x9f\x98", "\xf0\x9f\x98z", "\xf0\x9fz\x80",
                          "\xf8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
    EXPECT_EQ(utf8_character_bytes(bad), 0u) << bad;
  }
}

// ASCII is passed over by the word: whatever stands between words or across two of them is seen.
TEST(Utf8Test, SeesWhatIsNotAsciiAnywhere) {
  for (std::size_t size = 0; size < 40; ++size) {
    for (std::size_t at = 0; at <= size; ++at) {
      std::string text(size, 'a');
      ASSERT_TRUE(is_utf8(text));
      ASSERT_TRUE(is_utf8(text.insert(at, "\xc3\xa9\xf0\x9f\x98\x80"))) << at << " of " << size;
      ASSERT_FALSE(is_utf8(text.insert(at, "\x80"))) << at << " of " << size;
    }
  }
}

TEST(Utf8Test, CountsTheFirstCharacterAlone) {
  EXPECT_EQ(utf8_character_bytes(""), 0u);
  EXPECT_EQ(utf8_character_bytes("a\xff"), 1u);
  EXPECT_EQ(utf8_character_bytes("\xe6\x97\xa5\xff"), 3u);
  EXPECT_EQ(utf8_character_bytes(std::string_view("\0", 1)), 1u);
}

}  // namespace
}  // namespace rp::pipe
