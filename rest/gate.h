#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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
  /// Whether the route of a request whose head is read takes its body as it comes.
  using Streams = std::function<bool(const Request&)>;

  /// Both outlive the gate. Without `streams`, no route does.
  explicit Gate(const Limits& limits, const Streams& streams = kNone);

  enum class Progress : std::uint8_t { need_more, head, complete, refused };

  /// Each request yields `head`, then `complete`. Never reads beyond the request in hand, so bytes
  /// of a pipelined one stay in `input`.
  Progress feed(std::string_view& input);

  /// After `head`: the body may be taken as it comes, by take_head() and take_body().
  bool streams_body() const { return streams_body_; }
  /// Once, before the body is complete: the request without its body.
  Request take_head();
  /// What has come of the body since it was asked last. After `complete`, call it once more and
  /// then take_request(), which returns nothing of use.
  std::string take_body() { return std::exchange(request_.body_, {}); }

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

  /// Decoded body bytes that are in hand, not counting those taken.
  std::size_t body_bytes() const { return request_.body_.size(); }

 private:
  enum class State : std::uint8_t { head, body, complete, refused };

  Progress feed_head(std::string_view& input);
  Progress feed_body(std::string_view& input);
  Progress refuse(Refusal refusal);
  bool skip_leading_empty_lines(std::string_view& input);
  std::optional<Refusal> check_unfinished_head() const;
  std::optional<Refusal> begin_body();

  static const Streams kNone;

  const Limits& limits_;
  const Streams& streams_;
  State state_ = State::head;
  Request request_;
  Framing framing_;
  std::size_t line_at_ = 0;           ///< where the unfinished line of the head starts
  std::size_t empty_line_bytes_ = 0;  ///< CR and LF seen before the request line
  bool streams_body_ = false;
  std::uint64_t body_received_ = 0;
  ChunkDecoder chunks_;
  std::optional<Refusal> refusal_;
};

}  // namespace rp::rest
