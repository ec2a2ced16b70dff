#include "pipe/core/frame.h"

#include <algorithm>

#include "pipe/core/limits.h"

namespace rp::pipe {
namespace {

// A burst leaves one large partial buffer behind at most; above this it is given back when empty.
constexpr std::size_t kPartialKeptBytes = 4096;

void put16(std::uint16_t value, char* out) noexcept {
  out[0] = static_cast<char>(value >> 8);
  out[1] = static_cast<char>(value);
}

void put32(std::uint32_t value, char* out) noexcept {
  put16(static_cast<std::uint16_t>(value >> 16), out);
  put16(static_cast<std::uint16_t>(value), out + 2);
}

std::uint8_t get8(const char* in) noexcept { return static_cast<std::uint8_t>(*in); }

std::uint16_t get16(const char* in) noexcept {
  return static_cast<std::uint16_t>(get8(in) << 8 | get8(in + 1));
}

std::uint32_t get32(const char* in) noexcept {
  return static_cast<std::uint32_t>(get16(in)) << 16 | get16(in + 2);
}

}  // namespace

std::string_view frame_type_name(std::uint8_t type) noexcept {
  switch (static_cast<FrameType>(type)) {
    case FrameType::call:
      return "CALL";
    case FrameType::reply:
      return "REPLY";
    case FrameType::data:
      return "DATA";
    case FrameType::credit:
      return "CREDIT";
    case FrameType::cancel:
      return "CANCEL";
    case FrameType::hello:
      return "HELLO";
    case FrameType::ping:
      return "PING";
    case FrameType::pong:
      return "PONG";
    case FrameType::ack:
      return "ACK";
    case FrameType::goodbye:
      return "GOODBYE";
  }
  return "unknown";
}

void encode_header(const FrameHeader& header, char* out) noexcept {
  put32(header.payload_bytes, out);
  out[4] = static_cast<char>(header.type);
  out[5] = static_cast<char>(header.flags);
  put16(header.head_bytes, out + 6);
  put32(header.call, out + 8);
}

FrameHeader decode_header(const char* in) noexcept {
  return {.payload_bytes = get32(in),
          .type = get8(in + 4),
          .flags = get8(in + 5),
          .head_bytes = get16(in + 6),
          .call = get32(in + 8)};
}

error_code check_header(const FrameHeader& header) noexcept {
  const std::size_t bytes = header.payload_bytes;
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::call:
    case FrameType::reply:
      if (header.head_bytes > bytes) return Errc::malformed_frame;
      if (bytes - header.head_bytes > Limits::kInlineBodyBytesMax) return Errc::frame_too_large;
      return {};
    case FrameType::data:
      if (bytes > Limits::kDataFrameBytesMax) return Errc::frame_too_large;
      if (bytes == 0 && (header.flags & frame_flag::end) == 0) return Errc::malformed_frame;
      break;
    case FrameType::credit:
    case FrameType::cancel:
      break;
    case FrameType::ping:
    case FrameType::pong:
      if (bytes != kPingBytes) return Errc::malformed_frame;
      [[fallthrough]];
    case FrameType::hello:
    case FrameType::ack:
    case FrameType::goodbye:
      if (header.call != 0) return Errc::malformed_frame;
      break;
    default:
      return {};
  }
  return header.head_bytes == 0 ? error_code() : make_error_code(Errc::malformed_frame);
}

bool FrameDecoder::valid(const FrameHeader& header) {
  failed_ = header.payload_bytes > payload_bytes_max_ ? make_error_code(Errc::frame_too_large)
                                                      : check_header(header);
  return !failed_;
}

std::optional<Result<Frame>> FrameDecoder::next() {
  if (failed_) return Result<Frame>(failed_);
  if (partial_used_) {
    partial_used_ = false;
    partial_.clear();
    if (partial_.capacity() > kPartialKeptBytes) partial_.shrink_to_fit();
  }
  if (!partial_.empty()) return next_from_partial();
  if (input_.size() < kFrameHeaderBytes) {
    keep_rest();
    return std::nullopt;
  }
  const FrameHeader header = decode_header(input_.data());
  if (!valid(header)) return Result<Frame>(failed_);
  const std::size_t frame_bytes = kFrameHeaderBytes + header.payload_bytes;
  if (input_.size() < frame_bytes) {
    keep_rest();
    return std::nullopt;
  }
  const std::string_view payload = input_.substr(kFrameHeaderBytes, header.payload_bytes);
  input_.remove_prefix(frame_bytes);
  return Frame{header, payload};
}

std::optional<Result<Frame>> FrameDecoder::next_from_partial() {
  const auto take = [this](std::size_t wanted) {
    const std::size_t n = std::min(wanted - std::min(wanted, partial_.size()), input_.size());
    partial_.append(input_.substr(0, n));
    input_.remove_prefix(n);
    return partial_.size() >= wanted;
  };
  if (!take(kFrameHeaderBytes)) return std::nullopt;
  const FrameHeader header = decode_header(partial_.data());
  if (!valid(header)) return Result<Frame>(failed_);
  if (!take(kFrameHeaderBytes + header.payload_bytes)) return std::nullopt;
  partial_used_ = true;
  return Frame{header, std::string_view(partial_).substr(kFrameHeaderBytes)};
}

void FrameDecoder::keep_rest() {
  partial_.append(input_);
  input_ = {};
}

}  // namespace rp::pipe
