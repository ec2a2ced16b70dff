#include "handlers/linger/text.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "pipe/percent.h"
#include "pipe/utf8.h"

namespace rp::handlers::linger {
namespace {

using std::chrono::milliseconds;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view stripped(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string cleaned(std::string_view text) {
  std::string out(text);
  const auto is_control = [](char c) { return c >= 0 && c < 0x20 && !is_space(c); };
  std::replace_if(out.begin(), out.end(), is_control, ' ');
  return std::string(stripped(out));
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  text = stripped(text);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::string digits(negative ? "-" : "");
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool joint = text[i] == '_' && i > 0 && is_digit(text[i - 1]) && i + 1 < text.size() &&
                       is_digit(text[i + 1]);
    if (!is_digit(text[i]) && !joint) return std::nullopt;
    if (!joint) digits.push_back(text[i]);
  }
  std::int64_t value = 0;
  const auto* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<milliseconds> parse_seconds(std::string_view text, milliseconds most) {
  text = stripped(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto point = text.find('.');
  auto whole = text.substr(0, point);
  const auto fraction = point == std::string_view::npos ? "" : text.substr(point + 1);
  if (whole.empty() && fraction.empty()) return std::nullopt;
  if (!std::all_of(whole.begin(), whole.end(), is_digit)) return std::nullopt;
  if (!std::all_of(fraction.begin(), fraction.end(), is_digit)) return std::nullopt;
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
  if (whole.size() > 15) return std::nullopt;  // milliseconds of it fit into 64 bits
  std::int64_t ms = 0;
  for (const char c : whole) ms = ms * 10 + (c - '0');
  for (std::size_t i = 0; i < 3; ++i) ms = ms * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  if (fraction.size() > 3 && fraction.find_first_not_of('0', 3) != std::string_view::npos) ++ms;
  if (ms > most.count()) return std::nullopt;
  return milliseconds(ms);
}

std::string seconds_text(milliseconds time) {
  auto text = std::to_string(time.count() / 1'000);
  auto rest = std::to_string(1'000 + time.count() % 1'000).substr(1);
  rest.erase(rest.find_last_not_of('0') + 1);
  return rest.empty() ? text : text + '.' + rest;
}

bool is_name(std::string_view decoded) {
  const auto is_control = [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; };
  return !decoded.empty() && pipe::is_utf8(decoded) &&
         std::none_of(decoded.begin(), decoded.end(), is_control);
}

std::string shown(std::string_view name) {
  const bool plain =
      std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  return plain ? std::string(name) : pipe::percent_encoded(name, pipe::kUnreservedMarks);
}

}  // namespace rp::handlers::linger
