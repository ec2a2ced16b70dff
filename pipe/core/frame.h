#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pipe/error.h"

/// The outermost layer of the wire: a fixed header and a payload. Layout in docs/wire.md.
namespace rp::pipe {

/// Types below 0x10 are reliable: both sides count them, and they are acknowledged. The others
/// belong to one link and are never repeated.
enum class FrameType : std::uint8_t {
  call = 0x01,
  reply = 0x02,
  data = 0x03,
  credit = 0x04,
  cancel = 0x05,
  hello = 0x10,
  ping = 0x11,
  pong = 0x12,
  ack = 0x13,
  goodbye = 0x14,
};

/// "CALL", "PING", ...; "unknown" for a type that this version does not know.
std::string_view frame_type_name(std::uint8_t type) noexcept;

constexpr bool is_reliable(std::uint8_t type) { return type < 0x10; }

namespace frame_flag {
/// CALL, REPLY and DATA: the body ends with this frame.
constexpr std::uint8_t end = 0x01;
/// DATA, CREDIT and CANCEL: the call was opened by the receiver of this frame. Without it, by
/// its sender.
constexpr std::uint8_t yours = 0x02;
/// A receiver that does not know the type skips the frame instead of closing the link.
constexpr std::uint8_t ignorable = 0x80;
}  // namespace frame_flag

/// Chosen by the caller's side and unique among its open calls; 0 stands for the session itself.
/// The low 16 bits are a slot below the callee's calls_in_flight_max, the high 16 a generation
/// that changes with each use of the slot.
using CallId = std::uint32_t;

struct FrameHeader {
  std::uint32_t payload_bytes = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint16_t head_bytes = 0;  ///< CALL and REPLY: length of the protobuf head; the body follows
  CallId call = 0;
};

constexpr std::size_t kFrameHeaderBytes = 12;
/// Payloads of PING and PONG are this long.
constexpr std::size_t kPingBytes = 8;

namespace big_endian {

inline void put16(std::uint16_t value, char* out) noexcept {
  out[0] = static_cast<char>(value >> 8);
  out[1] = static_cast<char>(value);
}

inline void put32(std::uint32_t value, char* out) noexcept {
  put16(static_cast<std::uint16_t>(value >> 16), out);
  put16(static_cast<std::uint16_t>(value), out + 2);
}

inline std::uint8_t get8(const char* in) noexcept { return static_cast<std::uint8_t>(*in); }

inline std::uint16_t get16(const char* in) noexcept {
  return static_cast<std::uint16_t>(get8(in) << 8 | get8(in + 1));
}

inline std::uint32_t get32(const char* in) noexcept {
  return static_cast<std::uint32_t>(get16(in)) << 16 | get16(in + 2);
}

}  // namespace big_endian

/// In the header because every frame passes here several times. Layout: payload_bytes(4) type(1)
/// flags(1) head_bytes(2) call(4).
inline void encode_header(const FrameHeader& header, char* out) noexcept {
  big_endian::put32(header.payload_bytes, out);
  out[4] = static_cast<char>(header.type);
  out[5] = static_cast<char>(header.flags);
  big_endian::put16(header.head_bytes, out + 6);
  big_endian::put32(header.call, out + 8);
}
inline FrameHeader decode_header(const char* in) noexcept {
  return {.payload_bytes = big_endian::get32(in),
          .type = big_endian::get8(in + 4),
          .flags = big_endian::get8(in + 5),
          .head_bytes = big_endian::get16(in + 6),
          .call = big_endian::get32(in + 8)};
}

/// What a header alone can have wrong (docs/wire.md, "Frames" and "Bad input"): frame_too_large or
/// malformed_frame. Types that this version does not know pass.
error_code check_header(const FrameHeader& header) noexcept;

struct Frame {
  FrameHeader header;
  std::string_view payload;  ///< valid until the decoder is used again

  std::string_view head() const { return payload.substr(0, header.head_bytes); }
  std::string_view body() const { return payload.substr(header.head_bytes); }
};

/// Cuts received bytes into frames without copying, except for one that is split between two
/// pushes. Holds at most one frame, and only bytes that have really arrived.
///
///   decoder.push(bytes);
///   while (auto frame = decoder.next()) { if (!*frame) return frame->error(); use(**frame); }
class FrameDecoder {
 public:
  explicit FrameDecoder(std::size_t payload_bytes_max) : payload_bytes_max_(payload_bytes_max) {}

  /// `bytes` must stay valid until next() has returned nothing. The previous push must have been
  /// drained like that.
  void push(std::string_view bytes) { input_ = bytes; }

  /// The next whole frame; nothing when more bytes are needed (what is left was then copied); or
  /// why the stream cannot go on, which every later call repeats.
  std::optional<Result<Frame>> next();

  /// What was pushed behind the frames that next() has handed out.
  std::string_view unread() const { return input_; }

  /// Bytes of an incomplete frame held now.
  std::size_t buffered_bytes() const { return partial_.size(); }

 private:
  std::optional<Result<Frame>> next_from_partial();
  void keep_rest();
  bool valid(const FrameHeader& header);

  std::size_t payload_bytes_max_;
  std::string_view input_;     // pushed and not yet cut
  std::string partial_;        // start of a frame whose rest has not arrived
  bool partial_used_ = false;  // partial_ is the frame handed out last; dropped at the next call
  error_code failed_;
};

}  // namespace rp::pipe
