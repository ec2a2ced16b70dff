#pragma once

#include <cstddef>
#include <string_view>

namespace rp::pipe {

/// How many bytes the character at the front of `text` takes, 1 to 4; 0 where none stands that
/// Unicode calls well-formed (version 15, table 3-7), and for no text at all. Overlong forms,
/// surrogates and what lies beyond U+10FFFF are ill-formed.
std::size_t utf8_character_bytes(std::string_view text) noexcept;

/// Whether all of `text` is well-formed UTF-8.
bool is_utf8(std::string_view text) noexcept;

}  // namespace rp::pipe
