#pragma once

#include <string_view>

namespace rp::pipe {

/// True when a part of `path` between slashes is exactly "..": it would climb out of where it is
/// looked up.
bool has_dot_dot(std::string_view path);

}  // namespace rp::pipe
