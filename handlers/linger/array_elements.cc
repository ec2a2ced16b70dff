#include "handlers/linger/array_elements.h"

namespace rp::handlers::linger {
namespace {

/// Where the value at the front of `text` ends: at a ',' or ']' that is no part of it.
std::size_t end_of_value(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (depth == 0 && (c == ',' || c == ']')) {
      return at;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::optional<ArrayElement> take_element(std::string_view& text) {
  const auto end = end_of_value(text);
  if (end == std::string_view::npos) return std::nullopt;
  const ArrayElement element{.text = without_outer_blanks(text.substr(0, end)),
                             .last = text[end] == ']'};
  text.remove_prefix(end + 1);
  return element;
}

std::string_view without_outer_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace rp::handlers::linger
