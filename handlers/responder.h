#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "pipe/event.h"

namespace rp::handlers {

class Call;

/// What an exception becomes for the caller: code 251 and one JSON object.
struct Exception {
  std::string class_name;  ///< bare, without namespaces: "TypeError"
  std::string message;
  std::string traceback;  ///< goes to the caller: no paths, no addresses
};

/// What came of an attempt to answer.
enum class Answer : std::uint8_t {
  ok,
  answered,     ///< the call has its answer already; nothing was done
  gone,         ///< cancelled, or its time ran out; nothing was done
  would_block,  ///< the caller has not yet taken what was written before, or not yet sent more
  invalid,      ///< the order of calls, or a value, breaks a rule
  body_ended,   ///< the request's body has been read to its end
  body_broken,  ///< the end of the request's body will never come: the call is gone
};

/// What came of an attempt to read the request's body: ok with some bytes, or why there are none.
struct BodyRead {
  Answer status = Answer::ok;
  std::size_t bytes = 0;
};

/// One event as its handler sees it: views into the call, valid as long as its Responder.
struct Invocation {
  std::string_view method;  ///< "get_time_utc"
  std::string_view verb;    ///< "get"
  std::string_view noun;    ///< as the caller wrote it, before the first "//"
  std::span<const std::string_view> args;
  const pipe::Event& event;  ///< query, content type, headers, request id, deadline
  const std::string& body;   ///< whole; empty in a method that reads it (Flags::body_stream)
  const pipe::Origin& origin;
  std::optional<std::uint64_t> body_bytes = std::nullopt;  ///< the body's length, where it is known
};

/// The duty to answer one call, held by exactly one owner.
///
/// A handler answers through it before it returns, or moves it away and answers later from any
/// thread. One that is destroyed unanswered answers with an exception object; one destroyed in the
/// middle of a stream breaks the stream off. A moved-from Responder may only be destroyed.
class Responder final {
 public:
  explicit Responder(std::shared_ptr<Call> call) noexcept : call_(std::move(call)) {}
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) = delete;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  ~Responder();

  /// The question. Valid as long as this Responder (or the one it was moved into) lives.
  const Invocation& invocation() const noexcept;

  /// The whole answer. A content type or header with a control byte makes it an exception object.
  Answer reply(pipe::ReplyHead&& head, std::string&& body);

  /// Code 251 with the exception object; after begin(), breaks the stream off.
  Answer raise(const Exception& exception);

  /// A failure that is not the handler's: the caller gets the error itself, no reply.
  Answer fail(pipe::Failure failure);

  /// An answer in pieces. Needs Flags::streaming.
  Answer begin(pipe::ReplyHead&& head);

  /// Hands a piece on. At most pipe::kStreamWindowBytes wait un-consumed; when they do, waits up to
  /// `wait` (never wait on an I/O thread), then says would_block. Without a wait, a piece is taken
  /// whole or not at all and has at most kPieceBytesMax. A wait that runs out leaves an unknown
  /// part of the piece written.
  Answer write(std::string_view piece, std::chrono::milliseconds wait = {});
  Answer end();

  /// Copies what there is of the request's body, `size` bytes at most; waits up to `wait` for the
  /// first of them (never wait on an I/O thread), then says would_block. Needs Flags::body_stream.
  /// From one thread at a time, which may be another one than that which answers.
  BodyRead read(char* to, std::size_t size, std::chrono::milliseconds wait = {});

  /// Runs `callback` once, on whatever thread, when read() has something to say; at once if so
  /// already. Null takes it back and waits for one that runs on another thread.
  void on_readable(std::function<void()> callback);

  /// True once nobody waits any more: cancelled, or past the deadline.
  bool is_cancelled() const noexcept;

  /// Fires when that happens; never after the answer is complete.
  std::stop_token stop_token() const;

  /// Runs `callback` once, on whatever thread, when write() has room again or the call is gone; at
  /// once if so already. Null takes it back and waits for one that runs on another thread.
  void on_writable(std::function<void()> callback);

  /// Until the deadline, not below zero; none when the call has no deadline.
  std::optional<std::chrono::milliseconds> time_left() const;

 private:
  std::shared_ptr<Call> call_;
};

/// The largest piece that reaches a sink; longer ones are cut.
constexpr std::size_t kPieceBytesMax = std::size_t{64} * 1024;

}  // namespace rp::handlers
