#include "pipe/utf8.h"

#include <cstdint>
#include <cstring>

namespace rp::pipe {
namespace {

/// How many bytes at the front are ASCII, counted by the word: nearly all text is nothing else.
std::size_t ascii_words_bytes(std::string_view text) noexcept {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t bytes = 0;
  for (std::uint64_t word = 0; bytes + sizeof word <= text.size(); bytes += sizeof word) {
    std::memcpy(&word, text.data() + bytes, sizeof word);
    if ((word & kHighBits) != 0) break;
  }
  return bytes;
}

}  // namespace

std::size_t utf8_character_bytes(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return 0;
  // The second byte alone tells overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned char lowest = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char highest = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < lowest || byte(1) > highest) return 0;
  for (std::size_t i = 2; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return bytes;
}

bool is_utf8(std::string_view text) noexcept {
  while (true) {
    text.remove_prefix(ascii_words_bytes(text));
    if (text.empty()) return true;
    // What is not ASCII seldom comes alone, so the words are left until ASCII is back.
    do {
      const std::size_t bytes = utf8_character_bytes(text);
      if (bytes == 0) return false;
      text.remove_prefix(bytes);
    } while (!text.empty() && static_cast<unsigned char>(text.front()) >= 0x80);
  }
}

}  // namespace rp::pipe
