#include "rest/head_parser.h"

#include <algorithm>
#include <charconv>

#include "rest/address.h"
#include "rest/text.h"

namespace rp::rest {
namespace {

constexpr std::size_t kMethodBytesMax = 32;  // the longest registered one has 17 letters

Refusal bad(std::string detail) { return {400, "bad_request", std::move(detail)}; }

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// host [ ":" port ] as RFC 3986 has it, without userinfo.
bool is_authority(std::string_view text) {
  if (text.empty()) return false;
  std::string_view port;
  if (text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    const auto inside = text.substr(1, end - 1);
    if (inside.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos)
      return false;
    port = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    const auto name = text.substr(0, colon);
    constexpr std::string_view kOther = "-._~!$&'()*+;=%";
    const bool good = !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
      return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z') ||
             kOther.find(c) != std::string_view::npos;
    });
    if (!good) return false;
    port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (port.empty()) return true;
  return port.front() == ':' &&
         (port.size() == 1 || (is_digits(port.substr(1)) && port.size() <= 6));
}

}  // namespace

std::optional<Refusal> HeadParser::parse(Request& request, Framing& framing) {
  request_ = &request;
  framing_ = &framing;
  framing = {};
  const auto line_end = request.head_.find("\r\n");
  const auto line = std::string_view(request.head_).substr(0, line_end);
  if (auto refusal = parse_request_line(line)) return refusal;
  if (auto refusal = parse_fields(line_end + 2)) return refusal;
  if (auto refusal = check_framing()) return refusal;
  return check_host();
}

std::optional<Refusal> HeadParser::parse_request_line(std::string_view line) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return bad("the request line is not METHOD SP TARGET SP HTTP/1.1");
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  if (!is_token(method)) return bad("the method is not a token");
  if (method.size() > kMethodBytesMax)
    return Refusal{501, "unknown_method", "the method is longer than 32 characters"};
  const auto visible = [](char c) { return c > 0x20 && c < 0x7F; };
  if (target.empty() || !std::all_of(target.begin(), target.end(), visible))
    return bad("the request target holds a byte that has to be percent-encoded");
  if (target.size() > limits_.target_bytes_max)
    return Refusal{
        414, "target_too_long",
        "the request target exceeds " + std::to_string(limits_.target_bytes_max) + " bytes"};
  if (auto refusal = parse_version(line.substr(last + 1))) return refusal;
  request_->method_ = span_of(method);
  request_->target_ = span_of(target);
  return parse_target(target);
}

std::optional<Refusal> HeadParser::parse_version(std::string_view version) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (version.size() != 8 || !version.starts_with("HTTP/") || !digit(version[5]) ||
      version[6] != '.' || !digit(version[7]))
    return bad("the request line does not end with an HTTP version");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return Refusal{505, "http_version", "only HTTP/1.1 and HTTP/1.0 are spoken here"};
  request_->minor_version_ = version[7] - '0';
  return std::nullopt;
}

std::optional<Refusal> HeadParser::parse_target(std::string_view target) {
  const auto method = request_->method();
  if (method == "CONNECT")
    return Refusal{501, "unknown_method", "CONNECT is not served: this is no proxy"};
  std::string_view rest = target;
  if (target == "*") {
    if (method != "OPTIONS") return bad("the target '*' goes with OPTIONS only");
  } else if (target.front() != '/') {
    const auto scheme_end = target.find("://");
    if (scheme_end == std::string_view::npos ||
        !(equals_ignoring_case(target.substr(0, scheme_end), "http") ||
          equals_ignoring_case(target.substr(0, scheme_end), "https")))
      return bad("the request target is neither a path nor an http URL");
    rest = target.substr(scheme_end + 3);
    const auto authority = rest.substr(0, rest.find_first_of("/?#"));
    if (!is_authority(authority)) return bad("the request target has a malformed host");
    absolute_form_ = true;
    request_->host_ = span_of(authority);
    rest = rest.substr(authority.size());
  }
  rest = rest.substr(0, rest.find('#'));  // a fragment is the client's own business
  const auto question = rest.find('?');
  if (question != std::string_view::npos) request_->query_ = span_of(rest.substr(question + 1));
  auto path = rest.substr(0, question);
  request_->encoded_path_ = span_of(path);
  if (path.empty()) path = "/";
  if (const auto error = decode_path(path, request_->path_))
    return Refusal{400, "bad_path", std::string(sentence(*error))};
  return std::nullopt;
}

std::optional<Refusal> HeadParser::check_field_line(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t')
    return bad("a header line starts with white space; folded headers are refused");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return bad("a header line has no colon");
  if (!is_token(line.substr(0, colon)))
    return bad("a header name is empty or holds a character outside of tokens");
  if (!is_header_value(line.substr(colon + 1))) return bad("a header value holds a control byte");
  return std::nullopt;
}

std::optional<Refusal> HeadParser::parse_fields(std::size_t at) {
  std::string& head = request_->head_;
  request_->fields_.clear();
  request_->fields_.reserve(12);
  for (;;) {
    const auto end = head.find("\r\n", at);
    if (end == at) return std::nullopt;  // the empty line; the gate has made sure that it is there
    const auto line = std::string_view(head).substr(at, end - at);
    if (auto refusal = check_field_line(line)) return refusal;
    if (request_->fields_.size() == limits_.header_count_max)
      return Refusal{431, "too_many_headers",
                     "more than " + std::to_string(limits_.header_count_max) + " header lines"};
    const auto colon = line.find(':');
    for (auto i = at; i < at + colon; ++i) head[i] = to_lower(head[i]);
    const auto name = line.substr(0, colon);
    const auto value = span_of(trimmed(line.substr(colon + 1)));
    request_->fields_.push_back({span_of(name), value});
    if (auto refusal = read_field(name, value)) return refusal;
    at = end + 2;
  }
}

std::optional<Refusal> HeadParser::read_field(std::string_view name, Span value_span) {
  const auto value = request_->view(value_span);
  switch (name.size()) {  // spares most headers every comparison
    case 4:
      if (name == "host") {
        ++hosts_;
        host_header_ = value_span;
      }
      return std::nullopt;
    case 6:
      return name == "expect" ? read_expect(value) : std::nullopt;
    case 10:
      if (name == "connection") read_connection(value);
      return std::nullopt;
    case 14:
      return name == "content-length" ? read_content_length(value) : std::nullopt;
    case 17:
      return name == "transfer-encoding" ? read_transfer_encoding(value) : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<Refusal> HeadParser::read_content_length(std::string_view value) {
  if (++content_lengths_ > 1) return bad("Content-Length is given more than once");
  constexpr std::size_t kDigitsMax = 18;  // stays below 2^63
  if (!is_digits(value)) return bad("Content-Length is not a decimal number");
  if (value.size() > kDigitsMax)
    return Refusal{413, "body_too_large", "Content-Length has more than 18 digits"};
  std::from_chars(value.data(), value.data() + value.size(), framing_->content_length);
  return std::nullopt;
}

std::optional<Refusal> HeadParser::read_transfer_encoding(std::string_view value) {
  if (++transfer_encodings_ > 1) return bad("Transfer-Encoding is given more than once");
  if (!equals_ignoring_case(value, "chunked"))
    return Refusal{501, "transfer_encoding", "the only Transfer-Encoding accepted is: chunked"};
  framing_->chunked = true;
  return std::nullopt;
}

std::optional<Refusal> HeadParser::read_expect(std::string_view value) {
  if (!equals_ignoring_case(value, "100-continue"))
    return Refusal{417, "expectation", "the only Expect accepted is: 100-continue"};
  framing_->expects_continue = true;
  return std::nullopt;
}

void HeadParser::read_connection(std::string_view value) {
  while (!value.empty()) {
    const auto option = next_list_element(value);
    if (equals_ignoring_case(option, "close")) says_close_ = true;
    if (equals_ignoring_case(option, "keep-alive")) says_keep_alive_ = true;
  }
}

std::optional<Refusal> HeadParser::check_framing() {
  if (framing_->chunked && content_lengths_ > 0)
    return bad("both Content-Length and Transfer-Encoding are given");
  if (framing_->chunked && request_->minor_version_ == 0)
    return bad("HTTP/1.0 knows no Transfer-Encoding");
  framing_->expects_continue =
      framing_->expects_continue && framing_->has_body() && request_->minor_version_ == 1;
  request_->keep_alive_ = !says_close_ && (request_->minor_version_ == 1 || says_keep_alive_);
  return std::nullopt;
}

std::optional<Refusal> HeadParser::check_host() {
  if (hosts_ > 1) return bad("Host is given more than once");
  if (hosts_ == 0 && request_->minor_version_ == 1) return bad("Host is missing");
  const auto host = request_->view(host_header_);
  if (hosts_ == 1 && !is_authority(host) && !(absolute_form_ && host.empty()))
    return bad("Host is not a name or address with an optional port");
  if (!absolute_form_) request_->host_ = host_header_;
  return std::nullopt;
}

HeadParser::Span HeadParser::span_of(std::string_view part) const {
  return {static_cast<std::uint32_t>(part.data() - request_->head_.data()),
          static_cast<std::uint32_t>(part.size())};
}

}  // namespace rp::rest
