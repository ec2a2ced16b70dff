#include "rest/gate.h"

#include <algorithm>
#include <limits>

#include "rest/text.h"

namespace rp::rest {
namespace {

// RFC 9112 section 2.2 asks servers to ignore an empty line before the request line; old clients
// send one after a body. More than a few are no client.
constexpr std::size_t kLeadingEmptyLineBytesMax = 8;

// A body is reserved up to here at once; beyond, memory follows the bytes that really arrive.
constexpr std::uint64_t kBodyReserveMax = 64 * 1024;

constexpr std::size_t kTypicalHeadBytes = 512;

}  // namespace

const Gate::Streams Gate::kNone;

Gate::Gate(const Limits& limits, const Streams& streams)
    : limits_(limits), streams_(streams), chunks_(limits, 0) {}

Gate::Progress Gate::feed(std::string_view& input) {
  switch (state_) {
    case State::head:
      return feed_head(input);
    case State::body:
      return feed_body(input);
    case State::complete:
      return Progress::complete;
    case State::refused:
      return Progress::refused;
  }
  return Progress::refused;
}

Gate::Progress Gate::feed_head(std::string_view& input) {
  std::string& head = request_.head_;
  if (head.empty()) {
    if (!skip_leading_empty_lines(input))
      return refuse({400, "bad_request", "the request starts with stray CR or LF bytes"});
    if (input.empty()) return Progress::need_more;
    head.reserve(std::max(kTypicalHeadBytes, std::min(input.size(), limits_.head_bytes_max) + 1));
  }
  const auto before = head.size();
  auto scan_at = before;
  head.append(input.substr(0, limits_.head_bytes_max + 1 - before));
  for (;;) {
    const auto lf = head.find('\n', scan_at);
    if (lf == std::string::npos) break;
    if (lf == 0 || head[lf - 1] != '\r')
      return refuse({400, "bad_request", "a line ends with a bare LF instead of CRLF"});
    scan_at = lf + 1;
    const bool empty_line = lf - 1 == line_at_;
    line_at_ = scan_at;
    if (!empty_line) continue;
    if (scan_at > limits_.head_bytes_max) break;
    input.remove_prefix(scan_at - before);
    head.resize(scan_at);
    if (auto refusal = HeadParser(limits_).parse(request_, framing_)) return refuse(*refusal);
    if (auto refusal = begin_body()) return refuse(*refusal);
    return Progress::head;
  }
  input.remove_prefix(head.size() - before);
  if (auto refusal = check_unfinished_head()) return refuse(*refusal);
  return Progress::need_more;
}

std::optional<Refusal> Gate::begin_body() {
  state_ = State::body;
  body_received_ = 0;
  streams_body_ = framing_.has_body() && streams_ && streams_(request_);
  std::uint64_t most = limits_.body_bytes_max;
  if (streams_body_) most = limits_.streamed_body_bytes_max;
  if (streams_body_ && most == 0) most = std::numeric_limits<std::uint64_t>::max();
  chunks_ = ChunkDecoder(limits_, most);
  if (framing_.chunked) return std::nullopt;
  if (framing_.content_length > most)
    return Refusal{413, "body_too_large", "the body exceeds " + std::to_string(most) + " bytes"};
  request_.body_.reserve(std::min(framing_.content_length, kBodyReserveMax));
  return std::nullopt;
}

bool Gate::skip_leading_empty_lines(std::string_view& input) {
  while (!input.empty()) {
    const char expected = empty_line_bytes_ % 2 == 0 ? '\r' : '\n';
    if (input.front() != expected) return empty_line_bytes_ % 2 == 0 && input.front() != '\n';
    if (++empty_line_bytes_ > kLeadingEmptyLineBytesMax) return false;
    input.remove_prefix(1);
  }
  return true;
}

/// Tells early what can only go wrong: bytes that are no HTTP (a TLS hello), or too many of them.
std::optional<Refusal> Gate::check_unfinished_head() const {
  const std::string_view head = request_.head_;
  if (!is_token(head.substr(0, 1)))
    return Refusal{400, "bad_request", "the request does not start with a method"};
  if (head.size() <= limits_.head_bytes_max) return std::nullopt;
  if (line_at_ == 0) return Refusal{414, "target_too_long", "the request line exceeds its limit"};
  return Refusal{431, "head_too_large",
                 "the headers exceed " + std::to_string(limits_.head_bytes_max) + " bytes"};
}

Gate::Progress Gate::feed_body(std::string_view& input) {
  if (framing_.chunked) {
    input.remove_prefix(chunks_.feed(input, request_.body_));
    if (chunks_.refusal()) return refuse(*chunks_.refusal());
    if (!chunks_.done()) return Progress::need_more;
  } else {
    const auto missing = static_cast<std::size_t>(framing_.content_length - body_received_);
    const auto taken = std::min(missing, input.size());
    request_.body_.append(input.substr(0, taken));
    body_received_ += taken;
    input.remove_prefix(taken);
    if (taken < missing) return Progress::need_more;
  }
  state_ = State::complete;
  return Progress::complete;
}

Gate::Progress Gate::refuse(Refusal refusal) {
  refusal_ = std::move(refusal);
  state_ = State::refused;
  return Progress::refused;
}

Request Gate::take_head() {
  std::string body = take_body();
  Request taken = std::move(request_);
  request_ = Request{};
  request_.body_ = std::move(body);
  return taken;
}

Request Gate::take_request() {
  Request taken = std::move(request_);
  request_ = Request{};
  state_ = State::head;
  line_at_ = 0;
  empty_line_bytes_ = 0;
  return taken;
}

}  // namespace rp::rest
