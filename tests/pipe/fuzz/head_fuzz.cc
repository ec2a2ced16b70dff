#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <google/protobuf/stubs/logging.h>
#include <proto/pipe.pb.h>

#include "pipe/core/control.h"
#include "pipe/core/head.h"

/// Heads and control messages: what is accepted keeps every rule, says the same to the generated
/// classes of proto/pipe.proto, and is the same after it has been encoded and decoded again. The
/// first byte of the input says which message it is.
namespace {

using namespace rp::pipe;

Result<Event> decoded_call(std::string_view head, Clock::time_point now) {
  Event event;
  const error_code ec = decode_call(head, now, event);
  return ec ? Result<Event>(ec) : Result<Event>(std::move(event));
}

void require(bool ok) {
  if (!ok) std::abort();
}

constexpr Clock::time_point kNow{std::chrono::hours(1)};

/// Whether the generated class reads the same input; its lines about bad input are off. It refuses
/// a string that is not UTF-8 even where a later field of the same number takes its place, which we
/// do not; tests/pipe/fields_test.cc compares without that rule.
template <class Message>
bool parses(Message& message, std::string_view input) {
  [[maybe_unused]] static const auto previous = google::protobuf::SetLogHandler(nullptr);
  return message.ParseFromArray(input.data(), static_cast<int>(input.size()));
}

template <class Message>
void same_headers(const Headers& ours, const Message& message) {
  require(static_cast<int>(ours.size()) == message.headers_size());
  for (int i = 0; i < message.headers_size(); ++i) {
    const Header& header = ours[static_cast<std::size_t>(i)];
    require(header.name == message.headers(i).name() && header.value == message.headers(i).value());
  }
}

void same(const Event& event, std::string_view input) {
  restpipe::v1::CallHead message;
  if (!parses(message, input)) return;
  require(event.verb == message.verb() && event.noun == message.noun() &&
          event.query == message.query() && event.content_type == message.content_type() &&
          event.request_id == message.request_id());
  require((event.deadline == Clock::time_point::max()) ||
          event.deadline - kNow == std::chrono::milliseconds(message.timeout_ms()));
  same_headers(event.headers, message);
}

void same(const DecodedReply& reply, std::string_view input) {
  restpipe::v1::ReplyHead message;
  if (!parses(message, input)) return;
  require(reply.failed == message.has_error());
  if (reply.failed) {
    require(static_cast<std::uint32_t>(reply.error.code) == message.error().code() &&
            reply.error.detail == message.error().detail() &&
            reply.error.has_not_run == message.error().has_not_run());
    return;
  }
  require(reply.head.code == message.code() && reply.head.content_type == message.content_type() &&
          reply.head.body_bytes.has_value() == message.has_body_bytes() &&
          reply.head.body_bytes.value_or(0) == message.body_bytes());
  same_headers(reply.head.headers, message);
}

std::string payload(const std::string& frame) { return frame.substr(kFrameHeaderBytes); }

void call(std::string_view input) {
  const Result<Event> event = decoded_call(input, kNow);
  if (!event) return;
  same(*event, input);
  // Field by field it keeps the rules; only all of it together may be too long to be sent on.
  const std::string wrong = check(*event);
  require(wrong.empty() || wrong.find("together") != std::string::npos);
  if (!wrong.empty()) return;
  std::string frame;
  append_call(*event, {}, true, 1, kNow, frame);
  const FrameHeader header = decode_header(frame.data());
  require(header.head_bytes == header.payload_bytes);
  const Result<Event> again = decoded_call(payload(frame), kNow);
  require(again && again->verb == event->verb && again->noun == event->noun &&
          again->query == event->query && again->content_type == event->content_type &&
          again->headers == event->headers && again->request_id == event->request_id &&
          again->deadline == event->deadline);
}

void reply(std::string_view input) {
  const Result<DecodedReply> reply = decode_reply(input);
  if (!reply) return;
  same(*reply, input);
  std::string frame;
  if (reply->failed) {
    append_error_reply(reply->error, 1, frame);
  } else if (check(reply->head).empty()) {
    append_reply(reply->head, {}, true, 1, frame);
  } else {
    return;
  }
  const Result<DecodedReply> again = decode_reply(payload(frame));
  require(again && again->failed == reply->failed && again->error.code == reply->error.code &&
          again->error.detail == reply->error.detail &&
          again->error.has_not_run == reply->error.has_not_run &&
          again->head.code == reply->head.code &&
          again->head.content_type == reply->head.content_type &&
          again->head.headers == reply->head.headers &&
          again->head.body_bytes == reply->head.body_bytes);
}

void control(std::uint8_t which, std::string_view input) {
  switch (which) {
    case 2:
      if (const Result<Hello> hello = decode_hello(input)) {
        require(static_cast<bool>(decode_hello(payload(encode_hello(*hello)))));
      }
      break;
    case 3:
      if (const Result<Goodbye> goodbye = decode_goodbye(input)) {
        require(static_cast<bool>(decode_goodbye(payload(encode_goodbye(*goodbye)))));
      }
      break;
    case 4:
      if (const Result<Failure> reason = decode_cancel(input)) {
        require(static_cast<bool>(decode_cancel(payload(encode_cancel(1, 0, *reason)))));
      }
      break;
    case 5:
      if (const Result<std::uint32_t> bytes = decode_credit(input)) {
        require(decode_credit(payload(encode_credit(1, 0, *bytes))).value() == *bytes);
      }
      break;
    default:
      if (const Result<std::uint64_t> count = decode_ack(input)) {
        require(decode_ack(payload(encode_ack(*count))).value() == *count);
      }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const void* bytes = data + 1;
  const std::string_view input(static_cast<const char*>(bytes), size - 1);
  const std::uint8_t which = data[0] % 7;
  if (which == 0) {
    call(input);
  } else if (which == 1) {
    reply(input);
  } else {
    control(which, input);
  }
  return 0;
}
