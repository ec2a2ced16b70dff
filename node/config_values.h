#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/config.h"
#include "node/endpoint.h"

/// The strict parsers behind the settings. Nothing is trimmed, guessed or rounded: a text is
/// exactly a value or it is refused with a phrase.
namespace rp::node {

/// Plain decimal digits.
Parsed<std::uint64_t> parse_count(std::string_view text);

/// Decimal digits, optionally followed by KiB, MiB or GiB.
Parsed<std::uint64_t> parse_bytes(std::string_view text);

/// A decimal number of seconds such as "5" or "0.25", or one with a unit: ms, s, m, h. What is
/// finer than a millisecond is refused.
Parsed<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "true" or "false".
Parsed<bool> parse_switch(std::string_view text);

/// Permission bits as three or four octal digits, "0660".
Parsed<unsigned> parse_mode(std::string_view text);

Parsed<LogLevel> parse_log_level(std::string_view text);
Parsed<LogFormat> parse_log_format(std::string_view text);
Parsed<certs::StaleCrl> parse_stale_crl(std::string_view text);

/// A node name: 1 to 253 letters, digits, '_', '.', '-', as the URL of a request carries it.
Parsed<std::string> parse_node_name(std::string_view text);

/// A noun without arguments: letters, digits, '_', '.', '-' and single '/' between them.
Parsed<std::string> parse_noun(std::string_view text);

/// A Host header's name part: a DNS name, an IPv4 address or a bracketed IPv6 address; no port.
Parsed<std::string> parse_allowed_host(std::string_view text);

/// A browser origin: scheme http or https, host, optional port, nothing after it.
Parsed<std::string> parse_allowed_origin(std::string_view text);

/// A header name (RFC 9110 token), returned in lower case.
Parsed<std::string> parse_header_name(std::string_view text);

/// "1500 ms" the way parse_duration() reads it back in the largest whole unit: "1500ms", "5s".
std::string duration_text(std::chrono::milliseconds duration);

/// The parts between commas, without the blanks around them; an empty text has no parts.
std::vector<std::string> split_list(std::string_view text);

}  // namespace rp::node
