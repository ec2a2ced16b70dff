#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "pipe/event.h"

namespace rp::pipe {

/// Bounds of one session. What a peer must know of them travels in HELLO.
struct Limits {
  /// Calls that are served at once for the peer, and as many that may wait for its answers.
  std::uint32_t calls_in_flight_max = 4096;
  /// A body up to this size travels inside its CALL or REPLY frame, a longer one as DATA. Also
  /// what the peer relies on: it is part of the wire contract (docs/wire.md, "Bodies").
  static constexpr std::size_t kInlineBodyBytesMax = 64 * 1024;
  /// Heads are at most this long because their length has 16 bits in the frame header.
  static constexpr std::size_t kHeadBytesMax = 0xffff;
  /// Longest frame: a head and an inline body.
  static constexpr std::size_t kFrameBytesMax = kHeadBytesMax + kInlineBodyBytesMax;
  /// One DATA frame. A TLS record holds one, so a small call waits for 16 KiB at most.
  static constexpr std::size_t kDataFrameBytesMax = 16 * 1024;

  /// Body bytes that may be on their way un-consumed, per call and per session. As much as the
  /// session's may have been sent without an acknowledgement: so much is kept for a new link.
  std::uint32_t stream_window_bytes = 64 * 1024;
  /// What a call's window may grow to while it is read and the session's is mostly free.
  static constexpr std::uint32_t kStreamWindowBytesMax = kStreamWindowBytes;
  std::uint32_t session_window_bytes = 16 * 1024 * 1024;
  /// Encoded frames that wait to be sent. Above it new calls are refused as overloaded; at
  /// twice the bound the peer is not reading and the session ends.
  std::size_t outbound_bytes_max = 32 * 1024 * 1024;
  /// Frames within kStrayPeriod that name no open call. They happen when an answer and a cancel
  /// cross, or credit and the end of a body; more than could be in flight mean a peer that plays
  /// games (docs/wire.md, "Calls").
  std::uint32_t stray_frames_max = 65536;
  static constexpr std::chrono::seconds kStrayPeriod{10};
};

struct Heartbeat {
  /// Silence after which this side pings. Any received byte counts as life.
  std::chrono::milliseconds interval{5000};
  /// Further silence after which the peer counts as dead.
  std::chrono::milliseconds timeout{10000};
};

}  // namespace rp::pipe
