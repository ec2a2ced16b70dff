#include "node/config_values.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace rp::node {
namespace {

constexpr std::size_t kNodeNameBytesMax = 253;  // also a DNS name in a certificate

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Whole number with an overflow check; the caller has no use for signs or blanks.
bool read_digits(std::string_view text, std::uint64_t& out, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out, base);
  return !text.empty() && error == std::errc() && stop == end;
}

bool multiply(std::uint64_t& value, std::uint64_t factor) {
  if (value > std::numeric_limits<std::uint64_t>::max() / factor) return false;
  value *= factor;
  return true;
}

/// Splits "2.5h" into the number and the unit.
std::pair<std::string_view, std::string_view> split_unit(std::string_view text) {
  const auto unit =
      std::find_if_not(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; });
  const auto at = static_cast<std::size_t>(unit - text.begin());
  return {text.substr(0, at), text.substr(at)};
}

std::uint64_t unit_ms(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit.empty() || unit == "s") return 1'000;
  if (unit == "m") return 60'000;
  if (unit == "h") return 3'600'000;
  return 0;
}

}  // namespace

Parsed<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  if (!read_digits(text, value)) return Refusal::because("is not a whole number");
  return value;
}

Parsed<std::uint64_t> parse_bytes(std::string_view text) {
  auto [digits, unit] = split_unit(text);
  if (unit.size() > 1 && unit.front() == ' ') unit.remove_prefix(1);
  std::uint64_t factor = 1;
  if (unit == "KiB") {
    factor = 1'024;
  } else if (unit == "MiB") {
    factor = 1'024 * 1'024;
  } else if (unit == "GiB") {
    factor = 1'024 * 1'024 * 1'024;
  } else if (!unit.empty()) {
    return Refusal::because("has an unknown unit");
  }
  std::uint64_t value = 0;
  if (!read_digits(digits, value) || !multiply(value, factor)) {
    return Refusal::because("is not a number of bytes");
  }
  return value;
}

Parsed<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr std::uint64_t kMsMax = 1'000'000'000'000;  // 31 years: far from any overflow
  const Refusal refusal = Refusal::because("is not a number of seconds");
  const auto [number, unit] = split_unit(text);
  const std::uint64_t factor = unit_ms(unit);
  if (factor == 0) return Refusal::because("has an unknown unit");

  const auto dot = number.find('.');
  std::uint64_t ms = 0;
  if (!read_digits(number.substr(0, dot), ms) || !multiply(ms, factor) || ms > kMsMax) {
    return refusal;
  }
  if (dot == number.npos) return std::chrono::milliseconds(ms);

  const std::string_view decimals = number.substr(dot + 1);
  std::uint64_t fraction = 0;
  if (decimals.size() > 9 || !read_digits(decimals, fraction) || !multiply(fraction, factor)) {
    return refusal;
  }
  std::uint64_t scale = 1;
  for (std::size_t i = 0; i < decimals.size(); ++i) scale *= 10;
  if (fraction % scale != 0) return Refusal::because("is finer than a millisecond");
  return std::chrono::milliseconds(ms + fraction / scale);
}

Parsed<bool> parse_switch(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return Refusal::because("is neither true nor false");
}

Parsed<unsigned> parse_mode(std::string_view text) {
  std::uint64_t mode = 0;
  if ((text.size() != 3 && text.size() != 4) || !read_digits(text, mode, 8) || mode > 0777) {
    return Refusal::because("is not a file mode");
  }
  return static_cast<unsigned>(mode);
}

Parsed<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return LogLevel::debug;
  if (text == "info") return LogLevel::info;
  if (text == "warning") return LogLevel::warning;
  if (text == "error") return LogLevel::error;
  return Refusal::because("is not a log level");
}

Parsed<LogFormat> parse_log_format(std::string_view text) {
  if (text == "text") return LogFormat::text;
  if (text == "json") return LogFormat::json;
  return Refusal::because("is not a log format");
}

Parsed<certs::StaleCrl> parse_stale_crl(std::string_view text) {
  if (text == "refuse") return certs::StaleCrl::refuse;
  if (text == "accept") return certs::StaleCrl::accept;
  return Refusal::because("is not a rule for stale revocation lists");
}

Parsed<std::string> parse_node_name(std::string_view text) {
  const auto allowed = [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-';
  };
  if (text.empty() || text.size() > kNodeNameBytesMax ||
      !std::all_of(text.begin(), text.end(), allowed)) {
    return Refusal::because("is not a node name");
  }
  return std::string(text);
}

Parsed<std::string> parse_noun(std::string_view text) {
  const auto allowed = [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-' || c == '/';
  };
  const bool divided_well =
      !text.starts_with('/') && !text.ends_with('/') && text.find("//") == text.npos;
  if (text.empty() || !divided_well || !std::all_of(text.begin(), text.end(), allowed)) {
    return Refusal::because("begins with no noun");
  }
  return std::string(text);
}

Parsed<std::string> parse_allowed_host(std::string_view text) {
  // The port is borrowed so that one parser decides what a host is.
  if (!parse_host_port(std::string(text) + ":0")) return Refusal::because("is not a host name");
  return std::string(text);
}

Parsed<std::string> parse_allowed_origin(std::string_view text) {
  const Refusal refusal = Refusal::because("is not an origin");
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return refusal;
  }
  if (!parse_host_port(rest) && !parse_host_port(std::string(rest) + ":0")) return refusal;
  return std::string(text);
}

Parsed<std::string> parse_header_name(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  std::string lower;
  for (const char c : text) {
    if (!is_letter(c) && !is_digit(c) && kMarks.find(c) == kMarks.npos) {
      return Refusal::because("is not a header name");
    }
    lower.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  if (lower.empty()) return Refusal::because("is not a header name");
  return lower;
}

std::string duration_text(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms % 1'000 != 0) return std::to_string(ms) + "ms";
  if (ms != 0 && ms % 3'600'000 == 0) return std::to_string(ms / 3'600'000) + "h";
  if (ms != 0 && ms % 60'000 == 0) return std::to_string(ms / 60'000) + "m";
  return std::to_string(ms / 1'000) + "s";
}

std::vector<std::string> split_list(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  for (;;) {
    const auto comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    const auto first = part.find_first_not_of(kBlanks);
    part = first == part.npos ? std::string_view{}
                              : part.substr(first, part.find_last_not_of(kBlanks) - first + 1);
    parts.emplace_back(part);
    if (comma == text.npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace rp::node
