#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The texts of Linger's API: numbers, escapes, names.
namespace rp::handlers::linger {

/// As a form's value is read: ASCII control characters become blanks, and white space at both ends
/// goes.
std::string cleaned(std::string_view text);

/// An integer as Python's int() reads it, white space, '+' and single '_' between digits included.
/// Nothing when it is none, or has more than 64 bits.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// Seconds, `5` or `0.25`, from zero to `most`; what is finer than a millisecond is rounded up.
std::optional<std::chrono::milliseconds> parse_seconds(std::string_view text,
                                                       std::chrono::milliseconds most);
/// The shortest decimal fraction: `30`, `0.5`.
std::string seconds_text(std::chrono::milliseconds time);

/// Whether a decoded name of a channel or topic is one that a path can have: UTF-8 without control
/// characters.
bool is_name(std::string_view decoded);

/// A name as it stands in a header or a reason phrase: as it is where it is printable ASCII, else
/// percent-encoded as a whole.
std::string shown(std::string_view name);

}  // namespace rp::handlers::linger
