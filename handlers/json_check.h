#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rp::handlers {

/// How deep arrays and objects may nest (RELIABILITY T11).
constexpr std::size_t kJsonDepthMax = 64;

/// What is wrong with `text` as one JSON value in UTF-8, at which byte; none when it is fine.
/// Builds no document.
std::optional<std::string> json_error(std::string_view text);

}  // namespace rp::handlers
