#include "tests/style/source_text.h"

#include <algorithm>
#include <cctype>

namespace rp::style {
namespace {

/// Blanks text[begin, end) but keeps the line structure.
void blank(std::string& text, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < std::min(end, text.size()); ++i) {
    if (text[i] != '\n') text[i] = ' ';
  }
}

/// The offset just behind the literal that opens at `open` with `quote`.
std::size_t literal_end(std::string_view text, std::size_t open, char quote) {
  std::size_t i = open + 1;
  while (i < text.size() && text[i] != quote && text[i] != '\n') i += text[i] == '\\' ? 2 : 1;
  return std::min(i + 1, text.size());
}

/// The offset just behind the raw string whose R is at `r`: R"tag( ... )tag".
std::size_t raw_string_end(std::string_view text, std::size_t r) {
  const auto paren = text.find('(', r);
  if (paren == std::string_view::npos) return text.size();
  std::string closing = ")";
  closing += text.substr(r + 2, paren - r - 2);
  closing += '"';
  const auto end = text.find(closing, paren);
  return end == std::string_view::npos ? text.size() : end + closing.size();
}

/// A quote between two digits or hex digits separates them: 65'536.
bool is_digit_separator(std::string_view text, std::size_t quote) {
  const auto alnum = [&](std::size_t i) {
    return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i])) != 0;
  };
  return quote > 0 && alnum(quote - 1) && alnum(quote + 1);
}

}  // namespace

std::string code_only(std::string_view text) {
  std::string code(text);
  std::size_t i = 0;
  while (i < text.size()) {
    std::size_t end = i + 1;
    if (text.substr(i, 2) == "//") {
      end = std::min(text.find('\n', i), text.size());
      blank(code, i, end);
    } else if (text.substr(i, 2) == "/*") {
      const auto close = text.find("*/", i + 2);
      end = close == std::string_view::npos ? text.size() : close + 2;
      blank(code, i, end);
    } else if (text.substr(i, 2) == "R\"") {
      end = raw_string_end(text, i);
      blank(code, i + 2, end - 1);
    } else if (text[i] == '"' || (text[i] == '\'' && !is_digit_separator(text, i))) {
      end = literal_end(text, i, text[i]);
      blank(code, i + 1, end - 1);
    }
    i = end;
  }
  return code;
}

std::size_t line_of(std::string_view text, std::size_t offset) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size()));
  return 1 + static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
}

std::vector<Include> includes_of(std::string_view text) {
  std::vector<Include> found;
  std::size_t line = 0;
  while (!text.empty()) {
    ++line;
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!row.starts_with("#include")) continue;
    const auto open = row.find_first_of("<\"");
    if (open == std::string_view::npos) continue;
    const auto close = row.find_first_of(">\"", open + 1);
    if (close == std::string_view::npos) continue;
    found.push_back({std::string(row.substr(open + 1, close - open - 1)), row[open] == '"', line});
  }
  return found;
}

}  // namespace rp::style
