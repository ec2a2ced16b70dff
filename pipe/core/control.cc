#include "pipe/core/control.h"

#include <algorithm>

#include <proto/pipe.pb.h>

#include "pipe/core/parse.h"

namespace rp::pipe {
namespace v1 = restpipe::v1;

namespace {

constexpr std::size_t kDetailBytesMax = 1024;
constexpr std::uint32_t kWindowBytesMax = 0x7fffffff;
constexpr int kFeaturesMax = 32;
constexpr std::size_t kFeatureBytesMax = 64;
constexpr std::size_t kNameBytesMax = 256;
constexpr std::size_t kSessionIdBytes = 16;
constexpr std::size_t kResumeSecretBytes = 32;
constexpr std::uint32_t kCallsInFlightMax = 65536;

std::string encode(FrameType type, std::uint8_t flags, CallId call, std::string_view payload) {
  std::string frame(kFrameHeaderBytes, '\0');
  encode_header({.payload_bytes = static_cast<std::uint32_t>(payload.size()),
                 .type = static_cast<std::uint8_t>(type),
                 .flags = flags,
                 .call = call},
                frame.data());
  frame.append(payload);
  return frame;
}

void set_error(const Failure& failure, v1::Error* error) {
  error->set_code(static_cast<std::uint32_t>(failure.code));
  error->set_detail(failure.detail.substr(0, kDetailBytesMax));
}

/// Also false where there is none: an error without a number would be no error.
bool valid(const v1::Error& error) {
  return error.code() >= 1 && error.code() <= kErrorCodeMax &&
         error.detail().size() <= kDetailBytesMax;
}

bool is_empty_or(std::string_view value, std::size_t bytes) {
  return value.empty() || value.size() == bytes;
}

bool valid(const v1::Hello& m) {
  const bool features = m.features_size() <= kFeaturesMax &&
                        std::all_of(m.features().begin(), m.features().end(),
                                    [](const auto& f) { return f.size() <= kFeatureBytesMax; });
  return features && m.version_min() >= 1 && m.version_min() <= m.version_max() &&
         m.node().size() <= kNameBytesMax && m.software().size() <= kNameBytesMax &&
         m.calls_in_flight_max() >= 1 && m.calls_in_flight_max() <= kCallsInFlightMax &&
         m.stream_window_bytes() <= kWindowBytesMax &&
         m.session_window_bytes() <= kWindowBytesMax &&
         is_empty_or(m.session_id(), kSessionIdBytes) &&
         is_empty_or(m.resume_secret(), kResumeSecretBytes);
}

}  // namespace

std::string encode_hello(const Hello& hello) {
  v1::Hello m;
  m.set_version_min(hello.version_min);
  m.set_version_max(hello.version_max);
  for (const std::string& feature : hello.features) m.add_features(feature);
  m.set_node(hello.node);
  m.set_software(hello.software);
  m.set_frame_bytes_max(hello.frame_bytes_max);
  m.set_calls_in_flight_max(hello.calls_in_flight_max);
  m.set_stream_window_bytes(hello.stream_window_bytes);
  m.set_session_window_bytes(hello.session_window_bytes);
  m.set_heartbeat_interval_ms(static_cast<std::uint32_t>(hello.heartbeat_interval.count()));
  m.set_session_id(hello.session_id);
  m.set_resume_secret(hello.resume_secret);
  m.set_received_frames(hello.received_frames);
  return encode(FrameType::hello, 0, 0, m.SerializeAsString());
}

std::string encode_goodbye(const Goodbye& goodbye) {
  v1::Goodbye m;
  set_error(goodbye.reason, m.mutable_reason());
  m.set_drain(goodbye.drain);
  m.set_retry_after_ms(static_cast<std::uint32_t>(goodbye.retry_after.count()));
  return encode(FrameType::goodbye, 0, 0, m.SerializeAsString());
}

std::string encode_ack(std::uint64_t received_frames) {
  v1::Ack m;
  m.set_received_frames(received_frames);
  return encode(FrameType::ack, 0, 0, m.SerializeAsString());
}

std::string encode_ping(FrameType ping_or_pong, std::string_view payload) {
  return encode(ping_or_pong, 0, 0, payload);
}

std::string encode_credit(CallId call, std::uint8_t flags, std::uint32_t bytes) {
  v1::Credit m;
  m.set_bytes(bytes);
  return encode(FrameType::credit, flags, call, m.SerializeAsString());
}

std::string encode_cancel(CallId call, std::uint8_t flags, const Failure& reason) {
  v1::Cancel m;
  set_error(reason, m.mutable_reason());
  return encode(FrameType::cancel, flags, call, m.SerializeAsString());
}

Result<Hello> decode_hello(std::string_view payload) {
  v1::Hello m;
  if (!parse(m, payload) || !valid(m)) return Errc::malformed_frame;
  Hello hello;
  hello.version_min = m.version_min();
  hello.version_max = m.version_max();
  hello.features.assign(m.features().begin(), m.features().end());
  hello.node = m.node();
  hello.software = m.software();
  hello.frame_bytes_max = m.frame_bytes_max();
  hello.calls_in_flight_max = m.calls_in_flight_max();
  hello.stream_window_bytes = m.stream_window_bytes();
  hello.session_window_bytes = m.session_window_bytes();
  hello.heartbeat_interval = std::chrono::milliseconds(m.heartbeat_interval_ms());
  hello.session_id = m.session_id();
  hello.resume_secret = m.resume_secret();
  hello.received_frames = m.received_frames();
  return hello;
}

Result<Goodbye> decode_goodbye(std::string_view payload) {
  v1::Goodbye m;
  if (!parse(m, payload) || !valid(m.reason())) return Errc::malformed_frame;
  return Goodbye{{static_cast<Errc>(m.reason().code()), m.reason().detail()},
                 m.drain(),
                 std::chrono::milliseconds(m.retry_after_ms())};
}

Result<std::uint64_t> decode_ack(std::string_view payload) {
  v1::Ack m;
  if (!parse(m, payload)) return Errc::malformed_frame;
  return m.received_frames();
}

Result<std::uint32_t> decode_credit(std::string_view payload) {
  v1::Credit m;
  if (!parse(m, payload) || m.bytes() == 0 || m.bytes() > kWindowBytesMax)
    return Errc::malformed_frame;
  return m.bytes();
}

Result<Failure> decode_cancel(std::string_view payload) {
  v1::Cancel m;
  if (!parse(m, payload) || !valid(m.reason())) {
    return make_error_code(Errc::malformed_frame);  // a Failure is constructible from Errc too
  }
  return Failure{static_cast<Errc>(m.reason().code()), m.reason().detail()};
}

}  // namespace rp::pipe
