#include "pipe/core/greeting.h"

#include <algorithm>
#include <utility>

namespace rp::pipe {

bool has_feature(const Hello& hello, std::string_view feature) {
  return std::find(hello.features.begin(), hello.features.end(), feature) != hello.features.end();
}

Hello make_hello(const Introduction& self) {
  Hello hello;
  hello.features.emplace_back(kFeatureResume);
  hello.node = self.node;
  hello.software = self.software;
  hello.calls_in_flight_max = self.limits.calls_in_flight_max;
  hello.stream_window_bytes = self.limits.stream_window_bytes;
  hello.session_window_bytes = self.limits.session_window_bytes;
  hello.heartbeat_interval = self.heartbeat.interval;
  return hello;
}

error_code Greeting::receive(std::string_view bytes) {
  decoder_.push(bytes);
  const auto frame = decoder_.next();
  if (!frame) return {};
  if (!*frame) {
    const auto reason = static_cast<Errc>(frame->error().value());
    return fail(reason, frame->error().message());
  }
  switch (static_cast<FrameType>((*frame)->header.type)) {
    case FrameType::hello:
      return on_hello((*frame)->payload);
    case FrameType::goodbye:
      return on_goodbye((*frame)->payload);
    default:
      return fail(Errc::protocol_violation, "the first frame must be HELLO");
  }
}

error_code Greeting::on_hello(std::string_view payload) {
  Result<Hello> hello = decode_hello(payload);
  if (!hello) {
    return fail(Errc::malformed_frame, "HELLO does not parse or breaks a field rule");
  }
  if (hello->version_min > kWireVersion || hello->version_max < kWireVersion) {
    return fail(Errc::version_mismatch,
                "this node speaks wire version " + std::to_string(kWireVersion));
  }
  if (hello->frame_bytes_max < Limits::kFrameBytesMax) {
    return fail(Errc::protocol_violation, "frame_bytes_max is below what version 1 requires");
  }
  peer_ = std::move(*hello);
  complete_ = true;
  return {};
}

error_code Greeting::on_goodbye(std::string_view payload) {
  Result<Goodbye> goodbye = decode_goodbye(payload);
  if (!goodbye) return fail(Errc::malformed_frame, "GOODBYE does not parse");
  retry_after_ = goodbye->retry_after;
  detail_ = std::move(goodbye->reason.detail);
  return goodbye->reason.code;
}

error_code Greeting::timed_out() { return fail(Errc::handshake_timeout, "no HELLO in time"); }

error_code Greeting::fail(Errc reason, std::string detail) {
  detail_ = std::move(detail);
  last_word_ = encode_goodbye({.reason = {reason, detail_}});
  return reason;
}

}  // namespace rp::pipe
