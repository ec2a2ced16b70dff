#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <variant>

#include "pipe/event.h"
#include "rest/problem.h"
#include "rest/request.h"

namespace rp::rest {

/// When the call of a request must be answered, by its headers:
///
///   Request-Timeout: 2.5                          seconds from now
///   X-Request-Deadline: 2026-11-21T05:04:03.5Z    a time of RFC 3339, any offset
///   X-Request-Deadline: 1795237443.5              seconds since 1970
///
/// The earlier one of both; `otherwise` (zero for none) without either, and never later than
/// `at_most` from now. A problem: 400 for a header that is none of these, 504 for a deadline that
/// has passed.
std::variant<pipe::Clock::time_point, Problem> deadline_of(const Request& request,
                                                           std::chrono::milliseconds otherwise,
                                                           std::chrono::milliseconds at_most);

/// The time that an X-Request-Deadline names; nothing when it is none.
std::optional<std::chrono::system_clock::time_point> parse_time(std::string_view text);

}  // namespace rp::rest
