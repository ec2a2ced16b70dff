#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// The escapes of URLs (RFC 3986, section 2.1), in which nouns arrive and leave.
namespace rp::pipe {

/// What a URL may hold anywhere beside letters and digits (RFC 3986, section 2.3).
inline constexpr std::string_view kUnreservedMarks = "-._~";

/// 0 to 15 for a hexadecimal digit of either case, else -1.
constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The byte that a whole %XX at `at` stands for, `at` being no more than the size of `text`;
/// nothing when there is none.
std::optional<char> escaped_byte(std::string_view text, std::size_t at) noexcept;

/// Each whole %XX once; what is none stays as it is.
std::string percent_decoded(std::string_view text);

/// Letters and digits of ASCII, and the characters in `plain_marks`, as they are; every other byte
/// as %XX.
std::string percent_encoded(std::string_view text, std::string_view plain_marks);

}  // namespace rp::pipe
