#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "rest/chunk_decoder.h"
#include "rest/head_parser.h"
#include "rest/limits.h"
#include "rest/request.h"

namespace rp::rest {

/// Cuts a connection's bytes into requests, strictly per RFC 9112. Pure: no socket and no clock;
/// one gate per connection, used by one thread.
///
///     while (...) switch (gate.feed(input)) {    // takes what it uses off the front of `input`
///       case Progress::need_more: read more
///       case Progress::head:      judge gate.request(), then go on feeding
///       case Progress::complete:  handle(gate.take_request())
///       case Progress::refused:   answer gate.refusal() and close; the gate reads nothing more
///     }
class Gate {
 public:
  /// `limits` outlives the gate.
  explicit Gate(const Limits& limits);

  enum class Progress : std::uint8_t { need_more, head, complete, refused };

  /// Each request yields `head`, then `complete`. Never reads beyond the request in hand, so bytes
  /// of a pipelined one stay in `input`.
  Progress feed(std::string_view& input);

  /// From `head` until take_request().
  const Request& request() const { return request_; }
  const Framing& framing() const { return framing_; }

  /// After `complete`: the request, and the gate is ready for the next.
  Request take_request();

  /// After `refused`.
  const Refusal& refusal() const { return *refusal_; }

  /// Nothing of a request has arrived: closing now loses nothing.
  bool between_requests() const { return state_ == State::head && request_.head_.empty(); }
  bool reading_head() const { return state_ == State::head && !request_.head_.empty(); }
  bool reading_body() const { return state_ == State::body; }

  /// Decoded body bytes in hand.
  std::size_t body_bytes() const { return request_.body_.size(); }

 private:
  enum class State : std::uint8_t { head, body, complete, refused };

  Progress feed_head(std::string_view& input);
  Progress feed_body(std::string_view& input);
  Progress refuse(Refusal refusal);
  bool skip_leading_empty_lines(std::string_view& input);
  std::optional<Refusal> check_unfinished_head() const;

  const Limits& limits_;
  State state_ = State::head;
  Request request_;
  Framing framing_;
  std::size_t line_at_ = 0;           ///< where the unfinished line of the head starts
  std::size_t empty_line_bytes_ = 0;  ///< CR and LF seen before the request line
  ChunkDecoder chunks_;
  std::optional<Refusal> refusal_;
};

}  // namespace rp::rest
