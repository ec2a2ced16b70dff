#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/core/frame.h"
#include "pipe/core/limits.h"
#include "pipe/error.h"

/// The small frames that steer a session, between their C++ shapes and their wire form.
namespace rp::pipe {

/// The one wire version of this program.
constexpr std::uint32_t kWireVersion = 1;

/// Numbers of errors on the wire are from 1 to this; those that we do not know are passed on.
constexpr std::uint32_t kErrorCodeMax = 0xffff;

/// What each side says of itself before anything else.
struct Hello {
  std::uint32_t version_min = kWireVersion;
  std::uint32_t version_max = kWireVersion;
  std::vector<std::string> features;
  std::string node;
  std::string software;
  std::uint32_t frame_bytes_max = Limits::kFrameBytesMax;
  std::uint32_t calls_in_flight_max = 0;
  std::uint32_t stream_window_bytes = 0;
  std::uint32_t session_window_bytes = 0;
  std::chrono::milliseconds heartbeat_interval{0};
  std::string session_id;     // 16 bytes, or empty
  std::string resume_secret;  // 32 bytes, or empty
  std::uint64_t received_frames = 0;
};

struct Goodbye {
  Failure reason;
  bool drain = false;
  std::chrono::milliseconds retry_after{0};
};

std::string encode_hello(const Hello& hello);
std::string encode_goodbye(const Goodbye& goodbye);
std::string encode_ack(std::uint64_t received_frames);
std::string encode_ping(FrameType ping_or_pong, std::string_view payload);
/// `flags` is 0, or frame_flag::yours where the call was opened by the receiver of the frame.
std::string encode_credit(CallId call, std::uint8_t flags, std::uint32_t bytes);
std::string encode_cancel(CallId call, std::uint8_t flags, const Failure& reason);

/// Each returns malformed_frame for a payload that does not parse or breaks a field rule of
/// proto/pipe.proto.
Result<Hello> decode_hello(std::string_view payload);
Result<Goodbye> decode_goodbye(std::string_view payload);
Result<std::uint64_t> decode_ack(std::string_view payload);
Result<std::uint32_t> decode_credit(std::string_view payload);
Result<Failure> decode_cancel(std::string_view payload);

}  // namespace rp::pipe
