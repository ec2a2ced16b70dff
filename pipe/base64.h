#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Bytes in text that cannot hold them (RFC 4648, section 4).
namespace rp::pipe {

/// With its padding, in one line.
std::string base64(std::string_view bytes);

/// Nothing unless `text` is base64 with its padding, and nothing else.
std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace rp::pipe
