#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace rp::handlers {

/// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::time_t time);

/// The same read back; nothing for any other form, the obsolete two among them.
std::optional<std::time_t> parse_http_date(std::string_view text);

}  // namespace rp::handlers
