#include "rest/deadline.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

namespace rp::rest {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

Problem bad_header(std::string code, std::string detail) {
  Problem problem;
  problem.status = 400;
  problem.code = std::move(code);
  problem.detail = std::move(detail);
  return problem;
}

Problem passed() {
  Problem problem;
  problem.status = 504;
  problem.code = name(pipe::Errc::deadline_exceeded);
  problem.detail = "the request's deadline had passed when it arrived; the handler has not run";
  problem.may_have_run = false;
  return problem;
}

/// A decimal number greater than 0; nothing when it is anything else.
std::optional<double> parse_seconds(std::string_view text) {
  double seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, seconds, std::chars_format::fixed);
  if (text.empty() || ec != std::errc() || stop != end || !std::isfinite(seconds) || seconds <= 0)
    return std::nullopt;
  return seconds;
}

milliseconds to_ms(double seconds, milliseconds at_most) {
  const double most = std::chrono::duration<double>(at_most).count();
  return std::chrono::ceil<milliseconds>(std::chrono::duration<double>(std::min(seconds, most)));
}

/// Takes digits and what must follow them off the front.
bool take(std::string_view& text, std::size_t digits, std::string_view then, int& value) {
  if (text.size() < digits + then.size()) return false;
  const auto [stop, ec] = std::from_chars(text.data(), text.data() + digits, value);
  if (ec != std::errc() || stop != text.data() + digits || text.front() == '-') return false;
  text.remove_prefix(digits);
  if (!text.starts_with(then)) return false;
  text.remove_prefix(then.size());
  return true;
}

/// "Z", "+01:00": minutes east of UTC.
bool take_offset(std::string_view text, int& minutes) {
  if (text == "Z" || text == "z") return true;
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return false;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  int hours = 0;
  if (!take(text, 2, ":", hours) || !take(text, 2, "", minutes) || !text.empty()) return false;
  if (hours > 23 || minutes > 59) return false;
  minutes = sign * (hours * 60 + minutes);
  return true;
}

std::optional<system_clock::time_point> parse_rfc3339(std::string_view text) {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!take(text, 4, "-", year) || !take(text, 2, "-", month) || !take(text, 2, "", day) ||
      text.empty() || (text.front() != 'T' && text.front() != 't'))
    return std::nullopt;
  text.remove_prefix(1);
  if (!take(text, 2, ":", hour) || !take(text, 2, ":", minute) || !take(text, 2, "", second))
    return std::nullopt;
  double fraction = 0;
  if (text.starts_with('.')) {
    const std::size_t end = text.find_first_not_of("0123456789", 1);
    if (end == 1 || end == std::string_view::npos) return std::nullopt;
    std::from_chars(text.data(), text.data() + end, fraction);
    text.remove_prefix(end);
  }
  int offset = 0;
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year),
                            std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  if (!take_offset(text, offset) || !date.ok() || hour > 23 || minute > 59 || second > 60)
    return std::nullopt;
  return sys_days(date) + hours(hour) + minutes(minute - offset) + seconds(second) +
         duration_cast<system_clock::duration>(duration<double>(fraction));
}

}  // namespace

std::optional<system_clock::time_point> parse_time(std::string_view text) {
  const auto seconds = parse_seconds(text);
  if (!seconds) return parse_rfc3339(text);
  constexpr double kYear9999 = 253'402'300'799;
  return system_clock::time_point(std::chrono::duration_cast<system_clock::duration>(
      std::chrono::duration<double>(std::min(*seconds, kYear9999))));
}

std::variant<pipe::Clock::time_point, Problem> deadline_of(const Request& request,
                                                           milliseconds otherwise,
                                                           milliseconds at_most) {
  const auto timeout = request.header("request-timeout");
  const auto deadline = request.header("x-request-deadline");
  if (!timeout && !deadline && otherwise == otherwise.zero()) return pipe::Clock::time_point::max();
  milliseconds left = timeout || deadline ? at_most : otherwise;
  if (timeout) {
    const auto seconds = parse_seconds(*timeout);
    if (!seconds)
      return bad_header("bad_request_timeout",
                        "Request-Timeout is not a positive number of seconds such as 2.5");
    left = to_ms(*seconds, left);
  }
  if (deadline) {
    const auto at = parse_time(*deadline);
    if (!at)
      return bad_header("bad_request_deadline",
                        "X-Request-Deadline is neither a time such as 2026-11-21T05:04:03Z nor "
                        "seconds since 1970");
    const std::chrono::duration<double> rest = *at - system_clock::now();
    if (rest.count() <= 0) return passed();
    left = to_ms(rest.count(), left);
  }
  return pipe::Clock::now() + left;
}

}  // namespace rp::rest
