#include "handlers/files/http_date.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace rp::handlers {
namespace {

// HTTP's names, whatever the locale.
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::size_t kDateBytes = 29;

/// Digits only; -1 otherwise.
int number(std::string_view digits) {
  unsigned value = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return ec == std::errc() && end == digits.data() + digits.size() ? static_cast<int>(value) : -1;
}

}  // namespace

std::string http_date(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  std::snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays.at(static_cast<std::size_t>(parts.tm_wday)).data(), parts.tm_mday,
                kMonths.at(static_cast<std::size_t>(parts.tm_mon)).data(), parts.tm_year + 1900,
                parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

std::optional<std::time_t> parse_http_date(std::string_view text) {
  if (text.size() != kDateBytes) return std::nullopt;
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  if (month == kMonths.end()) return std::nullopt;
  std::tm parts{};
  parts.tm_mday = number(text.substr(5, 2));
  parts.tm_mon = static_cast<int>(month - kMonths.begin());
  parts.tm_year = number(text.substr(12, 4)) - 1900;
  parts.tm_hour = number(text.substr(17, 2));
  parts.tm_min = number(text.substr(20, 2));
  parts.tm_sec = number(text.substr(23, 2));
  const std::time_t time = timegm(&parts);
  // Only the one form that this time is written in: no other separators, days or overflows.
  if (http_date(time) != text) return std::nullopt;
  return time;
}

}  // namespace rp::handlers
