#include "handlers/exec/cgi_head.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace rp::handlers {
namespace {

// What the wire carries in one head (docs/wire.md, section "Field rules").
constexpr std::size_t kHeadersMax = 64;
constexpr std::size_t kNameBytesMax = 128;
constexpr std::size_t kValueBytesMax = 8192;

bool is_token(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
         });
}

bool is_value(std::string_view value) {
  return value.size() <= kValueBytesMax && std::all_of(value.begin(), value.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
         });
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

/// "404 Not Found" to 404; 0 when it is no final status.
std::uint16_t status_of(std::string_view value) {
  unsigned status = 0;
  const auto digits = value.substr(0, value.find(' '));
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), status);
  if (ec != std::errc() || end != digits.data() + digits.size()) return 0;
  return status >= 200 && status <= 599 ? static_cast<std::uint16_t>(status) : std::uint16_t{0};
}

/// Adds one line to `head`; false when it is no header.
bool take_line(std::string_view line, pipe::ReplyHead& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  auto name = lower(line.substr(0, colon));
  const auto value = trimmed(line.substr(colon + 1));
  if (!is_token(name) || !is_value(value) || head.headers.size() >= kHeadersMax) return false;
  if (name == "content-type") {
    head.content_type = value;
  } else if (name == "status") {
    head.http_status = status_of(value);
    return head.http_status != 0;
  } else {
    head.headers.push_back({std::move(name), std::string(value)});
  }
  return true;
}

CgiHead malformed(std::string why) { return {CgiHead::State::malformed, 0, {}, std::move(why)}; }

void add_default_status(pipe::ReplyHead& head) {
  const bool redirects = std::any_of(head.headers.begin(), head.headers.end(),
                                     [](const auto& h) { return h.name == "location"; });
  if (head.http_status == 0 && redirects) head.http_status = 302;
}

}  // namespace

CgiHead read_cgi_head(std::string_view output) {
  CgiHead result;
  for (std::size_t at = 0, number = 1;; ++number) {
    const auto newline = output.find('\n', at);
    if (std::min(newline, output.size()) > kCgiHeadBytesMax) {
      return malformed("its headers are longer than 16 KiB");
    }
    if (newline == std::string_view::npos) return result;
    auto line = output.substr(at, newline - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at = newline + 1;
    if (line.empty()) {
      add_default_status(result.head);
      result.state = CgiHead::State::complete;
      result.bytes = at;
      return result;
    }
    if (!take_line(line, result.head)) {
      return malformed("line " + std::to_string(number) + " of its output is no header");
    }
  }
}

}  // namespace rp::handlers
