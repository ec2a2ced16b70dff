#include "pipe/core/frame.h"

#include <algorithm>

#include "pipe/core/limits.h"

namespace rp::pipe {
namespace {

// A burst leaves one large partial buffer behind at most; above this it is given back when empty.
constexpr std::size_t kPartialKeptBytes = 4096;

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
  if (header.payload_bytes > payload_bytes_max_) {
    failed_ = Errc::frame_too_large;
    return false;
  }
  if (const error_code wrong = check_header(header)) {
    failed_ = wrong;
    return false;
  }
  return true;
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
