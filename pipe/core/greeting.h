#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "pipe/core/control.h"
#include "pipe/core/frame.h"
#include "pipe/core/limits.h"
#include "pipe/error.h"

namespace rp::pipe {

/// The optional ability to take up a session on another link (docs/wire.md, "Resumption").
inline constexpr std::string_view kFeatureResume = "resume";

bool has_feature(const Hello& hello, std::string_view feature);

/// What a node says of itself on every link; session fields are left empty.
struct Introduction {
  std::string node;      ///< our own name
  std::string software;  ///< "restpipe/0.1.0"
  Limits limits{};
  Heartbeat heartbeat{};
};
Hello make_hello(const Introduction& self);

/// What the peer says first on a link, before there can be a session: one HELLO, or a GOODBYE that
/// says why not.
///
///   while (!greeting.is_complete()) if (auto ec = greeting.receive(bytes)) ...
///
/// Bytes and decisions only. After an error last_word() tells the peer why, if it is to be told.
class Greeting {
 public:
  /// Takes what arrived. Errors: the reason of the peer's GOODBYE, or what the peer did wrong
  /// (docs/wire.md, "Bad input").
  error_code receive(std::string_view bytes);
  /// HELLO is in, and the rest belongs to a session.
  bool is_complete() const { return complete_; }

  /// No HELLO came in time.
  error_code timed_out();

  const Hello& peer() const { return peer_; }
  /// After HELLO: what came behind it. Valid as long as the bytes given to receive().
  std::string_view behind() const { return decoder_.unread(); }

  /// The sentence behind the error, ours or the peer's.
  const std::string& detail() const { return detail_; }
  /// How long the peer's GOODBYE asks us to stay away; 0 if it does not say.
  std::chrono::milliseconds retry_after() const { return retry_after_; }
  /// A GOODBYE frame for the peer; empty where there is nothing to say.
  const std::string& last_word() const { return last_word_; }

 private:
  error_code on_hello(std::string_view payload);
  error_code on_goodbye(std::string_view payload);
  error_code fail(Errc reason, std::string detail);

  FrameDecoder decoder_{Limits::kFrameBytesMax};
  Hello peer_;
  bool complete_ = false;
  std::string detail_;
  std::chrono::milliseconds retry_after_{0};
  std::string last_word_;
};

}  // namespace rp::pipe
