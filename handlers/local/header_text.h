#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// The characters of HTTP fields (RFC 9110, section 5), and what the wire carries of them in one
/// head (docs/wire.md, section "Field rules").
namespace rp::handlers {

constexpr std::size_t kHeadersMax = 64;
constexpr std::size_t kHeaderNameBytesMax = 128;
constexpr std::size_t kHeaderValueBytesMax = 8192;
constexpr std::size_t kContentTypeBytesMax = 1024;

/// A lower-case token that is short enough.
bool is_header_name(std::string_view name);
/// Free of control bytes but tab, and short enough.
bool is_header_value(std::string_view value);

/// `text` without spaces and tabs at its ends.
std::string_view trimmed(std::string_view text);
/// ASCII letters only.
std::string lower_case(std::string_view text);

}  // namespace rp::handlers
