#include "handlers/exec/cgi_head.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "handlers/local/header_text.h"

namespace rp::handlers {
namespace {

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
  auto name = lower_case(line.substr(0, colon));
  const auto value = trimmed(line.substr(colon + 1));
  if (!is_header_name(name) || !is_header_value(value) || head.headers.size() >= kHeadersMax)
    return false;
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
