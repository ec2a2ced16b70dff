#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pipe/core/control.h"
#include "pipe/core/frame.h"
#include "tests/product/harness/tls_stream.h"

namespace rp::product {

/// A frame with its own bytes.
struct WireFrame {
  pipe::FrameHeader header;
  std::string payload;

  pipe::FrameType type() const { return static_cast<pipe::FrameType>(header.type); }
  std::string_view head() const { return std::string_view(payload).substr(0, header.head_bytes); }
  std::string_view body() const { return std::string_view(payload).substr(header.head_bytes); }
};

/// The other end of a pipe as docs/wire.md describes it, played by hand: it does only what a test
/// tells it to do.
class WirePeer {
 public:
  /// Throws std::runtime_error without a stream: the peer did not take the connection.
  explicit WirePeer(std::unique_ptr<TlsStream> stream);

  /// Sends our HELLO, then waits for the peer's; for the side that dials.
  std::optional<pipe::Hello> exchange_hello();
  std::optional<pipe::Hello> exchange_hello(const pipe::Hello& ours);
  /// Waits for the peer's HELLO, then sends ours; for the side that accepts.
  std::optional<pipe::Hello> answer_hello();

  bool send(std::string_view bytes) { return stream_->send(bytes); }

  /// The next frame, or the next of one type, those between being dropped; nothing at the end of
  /// the stream or when `timeout` has passed.
  std::optional<WireFrame> next(TestClock::duration timeout = kPatience);
  std::optional<WireFrame> next_of(pipe::FrameType type, TestClock::duration timeout = kPatience);

  bool closes(TestClock::duration timeout = kPatience) { return stream_->closes(timeout); }
  TlsStream& stream() { return *stream_; }

 private:
  std::unique_ptr<TlsStream> stream_;
  pipe::FrameDecoder decoder_;
  std::string input_;  // what the decoder is looking at
};

/// A CALL frame for `verb` `noun` without a body.
std::string call_frame(pipe::CallId id, std::string_view verb, std::string_view noun);

/// The HELLO that a peer of the present version sends.
pipe::Hello plain_hello(std::string_view node);

}  // namespace rp::product
