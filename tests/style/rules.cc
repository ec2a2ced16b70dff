#include "tests/style/rules.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

namespace rp::style {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Offset of the next whole word `word` at or after `from`, or npos.
std::size_t find_word(std::string_view code, std::string_view word, std::size_t from) {
  for (auto at = code.find(word, from); at != std::string_view::npos;
       at = code.find(word, at + 1)) {
    const bool starts = at == 0 || !is_word(code[at - 1]);
    const auto end = at + word.size();
    if (starts && (end == code.size() || !is_word(code[end]))) return at;
  }
  return std::string_view::npos;
}

std::size_t skip_space(std::string_view text, std::size_t i) {
  while (i < text.size() && std::isspace(static_cast<unsigned char>(text[i])) != 0) ++i;
  return i;
}

/// The rest of the expression that starts at `from`: up to the ';' or '}' that ends it, or the ')'
/// that closes a condition, which a statement follows.
std::string_view rest_of_expression(std::string_view code, std::size_t from) {
  int depth = 0;
  for (std::size_t i = from; i < code.size(); ++i) {
    const char c = code[i];
    if (c == ';') return code.substr(from, i - from);
    if (c == '(' || c == '{' || c == '[') ++depth;
    if (c != ')' && c != '}' && c != ']') continue;
    if (--depth >= 0) continue;
    const auto next = skip_space(code, i + 1);
    const bool goes_on =
        c == ')' && next < code.size() && !is_word(code[next]) && code[next] != '{';
    if (!goes_on) return code.substr(from, i - from);
    depth = 0;
  }
  return code.substr(from);
}

/// True when a '[' at `open` starts a lambda with a capture, not a subscript or an attribute.
bool is_capturing_lambda(std::string_view text, std::size_t open) {
  std::size_t before = open;
  while (before > 0 && std::isspace(static_cast<unsigned char>(text[before - 1])) != 0) --before;
  if (before == 0 ||
      std::string_view("(,{=&|?:").find(text[before - 1]) == std::string_view::npos) {
    return false;
  }
  const auto close = text.find(']', open);
  if (close == std::string_view::npos || skip_space(text, open + 1) == close) return false;
  const auto next = skip_space(text, close + 1);
  return next < text.size() && (text[next] == '(' || text[next] == '{' || is_word(text[next]));
}

std::string trouble_in(std::string_view expression) {
  for (auto at = expression.find('['); at != std::string_view::npos;
       at = expression.find('[', at + 1)) {
    if (is_capturing_lambda(expression, at)) {
      return "a lambda with captures in an expression with co_await: name it first";
    }
  }
  for (auto at = expression.find('{'); at != std::string_view::npos;
       at = expression.find('{', at + 1)) {
    const auto dot = skip_space(expression, at + 1);
    if (dot < expression.size() && expression[dot] == '.') {
      return "a brace list in an expression with co_await: name the object first";
    }
  }
  return {};
}

/// Asio's token, by its full name or as a last argument; sessions without a link are detached too.
bool is_completion_token(std::string_view code, std::size_t word) {
  const auto before = code.substr(0, word);
  const auto after = code.substr(word + std::string_view("detached").size());
  return before.ends_with("asio::") || (before.ends_with(", ") && after.starts_with(")"));
}

}  // namespace

std::vector<Violation> too_long(const SourceFile& file) {
  const auto lines = static_cast<std::size_t>(std::count(file.text.begin(), file.text.end(), '\n'));
  if (lines <= kFileLinesMax) return {};
  return {{file.path, lines,
           std::to_string(lines) + " lines; the limit is " + std::to_string(kFileLinesMax)}};
}

std::vector<Violation> born_beside_co_await(const SourceFile& file) {
  std::vector<Violation> found;
  const auto code = code_only(file.text);
  for (auto at = find_word(code, "co_await", 0); at != std::string::npos;
       at = find_word(code, "co_await", at + 1)) {
    auto what = trouble_in(rest_of_expression(code, at));
    if (!what.empty()) found.push_back({file.path, line_of(code, at), std::move(what)});
  }
  return found;
}

std::vector<Violation> detached_work(const SourceFile& file) {
  std::vector<Violation> found;
  const auto code = code_only(file.text);
  for (auto at = find_word(code, "detached", 0); at != std::string::npos;
       at = find_word(code, "detached", at + 1)) {
    if (!is_completion_token(code, at)) continue;
    found.push_back({file.path, line_of(code, at), "'detached': nobody hears of its failure"});
  }
  return found;
}

}  // namespace rp::style
