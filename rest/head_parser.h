#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rest/limits.h"
#include "rest/refusal.h"
#include "rest/request.h"

namespace rp::rest {

/// How the body of a request is delimited.
struct Framing {
  bool chunked = false;
  std::uint64_t content_length = 0;  ///< meaningless when chunked
  bool expects_continue = false;     ///< the client waits for "100 Continue"

  bool has_body() const { return chunked || content_length > 0; }
};

/// Reads one complete head, strictly: what RFC 9112 does not allow is refused, and so is the little
/// it allows that proxies are known to read differently (lists of lengths, repeated framing
/// headers, folded lines).
///
/// One parser reads one head.
class HeadParser {
 public:
  explicit HeadParser(const Limits& limits) : limits_(limits) {}

  /// `request` holds the head's bytes up to and including the empty line; lines end with CRLF.
  /// Fills the request's views and `framing`, or says why not.
  std::optional<Refusal> parse(Request& request, Framing& framing);

  /// Checks one "name: value" line without its CRLF; also used for trailers.
  static std::optional<Refusal> check_field_line(std::string_view line);

 private:
  using Span = Request::Span;

  std::optional<Refusal> parse_request_line(std::string_view line);
  std::optional<Refusal> parse_version(std::string_view version);
  std::optional<Refusal> parse_target(std::string_view target);
  std::optional<Refusal> parse_fields(std::size_t at);
  std::optional<Refusal> read_field(std::string_view name, Span value_span);
  std::optional<Refusal> read_content_length(std::string_view value);
  std::optional<Refusal> read_transfer_encoding(std::string_view value);
  std::optional<Refusal> read_expect(std::string_view value);
  void read_connection(std::string_view value);
  std::optional<Refusal> check_framing();
  std::optional<Refusal> check_host();
  Span span_of(std::string_view part) const;

  const Limits& limits_;  // outlives the parser
  Request* request_ = nullptr;
  Framing* framing_ = nullptr;
  int hosts_ = 0;
  int content_lengths_ = 0;
  int transfer_encodings_ = 0;
  Span host_header_;
  bool absolute_form_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
};

}  // namespace rp::rest
