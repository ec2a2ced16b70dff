#include "tests/product/harness/wire_peer.h"

#include <stdexcept>
#include <utility>

#include "pipe/core/head.h"

namespace rp::product {

WirePeer::WirePeer(std::unique_ptr<TlsStream> stream)
    : stream_(std::move(stream)), decoder_(pipe::Limits::kFrameBytesMax) {
  if (stream_ == nullptr) throw std::runtime_error("no TLS connection to the peer");
}

std::optional<pipe::Hello> WirePeer::exchange_hello() {
  return exchange_hello(plain_hello("by-hand"));
}

std::optional<pipe::Hello> WirePeer::exchange_hello(const pipe::Hello& ours) {
  if (!send(pipe::encode_hello(ours))) return std::nullopt;
  const auto frame = next();
  if (!frame || frame->type() != pipe::FrameType::hello) return std::nullopt;
  const auto hello = pipe::decode_hello(frame->payload);
  if (!hello) return std::nullopt;
  return *hello;
}

std::optional<pipe::Hello> WirePeer::answer_hello() {
  const auto frame = next();
  if (!frame || frame->type() != pipe::FrameType::hello) return std::nullopt;
  const auto hello = pipe::decode_hello(frame->payload);
  auto ours = plain_hello("by-hand");
  ours.session_id.assign(16, 's');
  ours.resume_secret.assign(32, 'r');
  if (!hello || !send(pipe::encode_hello(ours))) return std::nullopt;
  return *hello;
}

std::optional<WireFrame> WirePeer::next(TestClock::duration timeout) {
  const auto deadline = TestClock::now() + timeout;
  for (;;) {
    if (auto frame = decoder_.next()) {
      if (!*frame) return std::nullopt;
      return WireFrame{(*frame)->header, std::string((*frame)->payload)};
    }
    input_.clear();
    if (!stream_->receive(input_, deadline)) return std::nullopt;
    decoder_.push(input_);
  }
}

std::optional<WireFrame> WirePeer::next_of(pipe::FrameType type, TestClock::duration timeout) {
  const auto deadline = TestClock::now() + timeout;
  for (;;) {
    auto frame = next(deadline - TestClock::now());
    if (!frame || frame->type() == type) return frame;
  }
}

std::string call_frame(pipe::CallId id, std::string_view verb, std::string_view noun) {
  pipe::Event event;
  event.verb = verb;
  event.noun = noun;
  event.request_id = "by-hand";
  std::string frame;
  pipe::append_call(event, "", true, id, pipe::Clock::now(), frame);
  return frame;
}

pipe::Hello plain_hello(std::string_view node) {
  pipe::Hello hello;
  hello.node = node;
  hello.software = "by-hand";
  hello.calls_in_flight_max = 64;
  hello.stream_window_bytes = 256 * 1024;
  hello.session_window_bytes = 1024 * 1024;
  hello.heartbeat_interval = 5s;
  return hello;
}

}  // namespace rp::product
