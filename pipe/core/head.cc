#include "pipe/core/head.h"

#include <algorithm>

#include "pipe/core/control.h"
#include "pipe/core/fields.h"
#include "pipe/core/head_rules.h"
#include "pipe/core/limits.h"

namespace rp::pipe {
namespace {

// Field numbers of proto/pipe.proto.
namespace header_field {
constexpr std::uint32_t name = 1;
constexpr std::uint32_t value = 2;
}  // namespace header_field
namespace call_field {
constexpr std::uint32_t verb = 1;
constexpr std::uint32_t noun = 2;
constexpr std::uint32_t query = 3;
constexpr std::uint32_t content_type = 4;
constexpr std::uint32_t headers = 5;
constexpr std::uint32_t request_id = 6;
constexpr std::uint32_t timeout_ms = 7;
constexpr std::uint32_t target = 8;
constexpr std::uint32_t caller = 9;
constexpr std::uint32_t body_bytes = 10;
}  // namespace call_field
namespace reply_field {
constexpr std::uint32_t code = 1;
constexpr std::uint32_t content_type = 2;
constexpr std::uint32_t headers = 3;
constexpr std::uint32_t body_bytes = 4;
constexpr std::uint32_t error = 5;
constexpr std::uint32_t queued_us = 6;
constexpr std::uint32_t handled_us = 7;
constexpr std::uint32_t http_status = 8;
}  // namespace reply_field
namespace error_field {
constexpr std::uint32_t code = 1;
constexpr std::uint32_t detail = 2;
constexpr std::uint32_t has_not_run = 3;
}  // namespace error_field

// More than the fields of a head take beside their own bytes and the headers.
constexpr std::size_t kFieldsOverheadBytes = 12 * FieldWriter::kOverheadBytes;

/// At least what the headers take in a head.
std::size_t headers_bytes(const Headers& headers) {
  constexpr std::size_t kFieldOverhead = 12;
  std::size_t sum = 0;
  for (const Header& h : headers) sum += h.name.size() + h.value.size() + kFieldOverhead;
  return sum;
}

void write_headers(std::uint32_t number, const Headers& headers, FieldWriter& fields) {
  for (const Header& h : headers) {
    fields.begin_bytes(number,
                       FieldWriter::size_of_bytes(h.name) + FieldWriter::size_of_bytes(h.value));
    fields.bytes(header_field::name, h.name);
    fields.bytes(header_field::value, h.value);
  }
}

/// False for what does not parse, or is one header too many.
bool read_header(std::string_view message, Headers& headers) {
  if (headers.size() == kHeadersMax) return false;
  std::string_view name;
  std::string_view value;
  FieldReader fields(message);
  while (fields.next()) {
    if (fields.tag() == bytes_field(header_field::name)) name = fields.bytes();
    if (fields.tag() == bytes_field(header_field::value)) value = fields.bytes();
  }
  headers.push_back({std::string(name), std::string(value)});
  return fields.well_formed();
}

/// Appends a frame whose head `write(FieldWriter&)` writes into at most `head_bytes_max`.
template <class Write>
void append_frame(FrameHeader header, std::size_t head_bytes_max, Write write,
                  std::string_view body, std::string& out) {
  const std::size_t at = out.size();
  out.resize(at + kFrameHeaderBytes + head_bytes_max);
  char* const head = out.data() + at + kFrameHeaderBytes;
  FieldWriter fields(head);
  write(fields);
  const auto head_bytes = static_cast<std::size_t>(fields.end() - head);
  header.head_bytes = static_cast<std::uint16_t>(head_bytes);
  header.payload_bytes = static_cast<std::uint32_t>(head_bytes + body.size());
  encode_header(header, out.data() + at);
  out.resize(at + kFrameHeaderBytes + head_bytes);
  out.append(body);
}

FrameHeader frame_header(FrameType type, bool end, CallId call) {
  FrameHeader header;
  header.type = static_cast<std::uint8_t>(type);
  header.flags = end ? frame_flag::end : std::uint8_t{0};
  header.call = call;
  return header;
}

std::uint64_t time_left_ms(Clock::time_point deadline, Clock::time_point now) {
  if (deadline == Clock::time_point::max()) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(left, 1));
}

Clock::time_point deadline_from(std::uint64_t timeout_ms, Clock::time_point now) {
  // Above ten years the sum could overflow; nobody waits that long.
  constexpr std::uint64_t kTenYearsMs = 315'360'000'000;
  if (timeout_ms == 0 || timeout_ms > kTenYearsMs) return Clock::time_point::max();
  return now + std::chrono::milliseconds(timeout_ms);
}

std::chrono::microseconds microseconds_from(std::uint64_t count) {
  constexpr std::uint64_t kMost = 315'360'000'000'000;  // ten years, as above
  return std::chrono::microseconds(std::min(count, kMost));
}

CallFields fields_of(const Event& event) {
  return {.verb = event.verb,
          .noun = event.noun,
          .query = event.query,
          .content_type = event.content_type,
          .request_id = event.request_id,
          .target = event.target,
          .caller = event.caller};
}

/// An Error inside a reply; one that comes twice is merged, as protobuf merges.
struct ErrorFields {
  std::uint32_t code = 0;
  std::string_view detail;
  bool has_not_run = false;

  bool read(std::string_view message) {
    FieldReader fields(message);
    while (fields.next()) {
      if (fields.tag() == varint_field(error_field::code)) {
        code = static_cast<std::uint32_t>(fields.varint());
      } else if (fields.tag() == bytes_field(error_field::detail)) {
        detail = fields.bytes();
      } else if (fields.tag() == varint_field(error_field::has_not_run)) {
        has_not_run = fields.varint() != 0;
      }
    }
    return fields.well_formed();
  }
  bool valid() const {
    return code >= 1 && code <= kErrorCodeMax && detail.size() <= kDetailBytesMax;
  }
};

}  // namespace

std::string check(const Event& event) {
  if (const char* wrong = wrong_in_call(fields_of(event))) return wrong;
  if (const char* wrong = wrong_in_headers(event.headers)) return wrong;
  const std::size_t bytes = event.noun.size() + event.query.size() + event.content_type.size() +
                            event.request_id.size() + event.target.size() + event.caller.size() +
                            headers_bytes(event.headers) + kFieldsOverheadBytes;
  if (bytes > Limits::kHeadBytesMax) return "path, query and headers together exceed 64 KiB";
  return {};
}

std::string check(const ReplyHead& head) {
  if (const char* wrong = wrong_in_reply(head.content_type)) return wrong;
  if (const char* wrong = wrong_in_http_status(head.http_status)) return wrong;
  if (const char* wrong = wrong_in_headers(head.headers)) return wrong;
  if (headers_bytes(head.headers) + head.content_type.size() + kFieldsOverheadBytes >
      Limits::kHeadBytesMax) {
    return "the headers together exceed 64 KiB";
  }
  return {};
}

void append_call(const Event& event, std::string_view body, bool end, CallId call,
                 Clock::time_point now, std::string& out) {
  const std::size_t bytes_max = event.verb.size() + event.noun.size() + event.query.size() +
                                event.content_type.size() + event.request_id.size() +
                                event.target.size() + event.caller.size() +
                                headers_bytes(event.headers) + kFieldsOverheadBytes;
  const auto write = [&](FieldWriter& fields) {
    fields.bytes(call_field::verb, event.verb);
    fields.bytes(call_field::noun, event.noun);
    fields.bytes(call_field::query, event.query);
    fields.bytes(call_field::content_type, event.content_type);
    write_headers(call_field::headers, event.headers, fields);
    fields.bytes(call_field::request_id, event.request_id);
    fields.varint(call_field::timeout_ms, time_left_ms(event.deadline, now));
    fields.bytes(call_field::target, event.target);
    fields.bytes(call_field::caller, event.caller);
    if (event.body_bytes) fields.present_varint(call_field::body_bytes, *event.body_bytes);
  };
  append_frame(frame_header(FrameType::call, end, call), bytes_max, write, body, out);
}

void append_reply(const ReplyHead& head, std::string_view body, bool end, CallId call,
                  std::string& out) {
  const std::size_t bytes_max =
      head.content_type.size() + headers_bytes(head.headers) + kFieldsOverheadBytes;
  const auto write = [&](FieldWriter& fields) {
    fields.varint(reply_field::code, head.code);
    fields.bytes(reply_field::content_type, head.content_type);
    write_headers(reply_field::headers, head.headers, fields);
    if (head.body_bytes) fields.present_varint(reply_field::body_bytes, *head.body_bytes);
    fields.varint(reply_field::queued_us, static_cast<std::uint64_t>(head.queued.count()));
    fields.varint(reply_field::handled_us, static_cast<std::uint64_t>(head.handled.count()));
    fields.varint(reply_field::http_status, head.http_status);
  };
  append_frame(frame_header(FrameType::reply, end, call), bytes_max, write, body, out);
}

void append_error_reply(const Failure& failure, CallId call, std::string& out) {
  const std::string_view detail = std::string_view(failure.detail).substr(0, kDetailBytesMax);
  const auto code = static_cast<std::uint32_t>(failure.code);
  // The inner message is written first because its length stands in front of it.
  char error[3 * FieldWriter::kOverheadBytes + kDetailBytesMax];
  FieldWriter inner(error);
  inner.varint(error_field::code, code);
  inner.bytes(error_field::detail, detail);
  inner.varint(error_field::has_not_run, failure.has_not_run ? 1 : 0);
  const std::string_view message(error, static_cast<std::size_t>(inner.end() - error));
  const auto write = [&](FieldWriter& fields) { fields.bytes(reply_field::error, message); };
  append_frame(frame_header(FrameType::reply, true, call),
               message.size() + FieldWriter::kOverheadBytes, write, {}, out);
}

error_code decode_call(std::string_view head, Clock::time_point now, Event& event) {
  CallFields call;
  Headers headers;
  std::uint64_t timeout_ms = 0;
  std::optional<std::uint64_t> body_bytes;
  FieldReader fields(head);
  while (fields.next()) {
    switch (fields.tag()) {
      case bytes_field(call_field::verb):
        call.verb = fields.bytes();
        break;
      case bytes_field(call_field::noun):
        call.noun = fields.bytes();
        break;
      case bytes_field(call_field::query):
        call.query = fields.bytes();
        break;
      case bytes_field(call_field::content_type):
        call.content_type = fields.bytes();
        break;
      case bytes_field(call_field::headers):
        if (!read_header(fields.bytes(), headers)) return Errc::malformed_frame;
        break;
      case bytes_field(call_field::request_id):
        call.request_id = fields.bytes();
        break;
      case varint_field(call_field::timeout_ms):
        timeout_ms = fields.varint();
        break;
      case bytes_field(call_field::target):
        call.target = fields.bytes();
        break;
      case bytes_field(call_field::caller):
        call.caller = fields.bytes();
        break;
      case varint_field(call_field::body_bytes):
        body_bytes = fields.varint();
        break;
      default:
        break;
    }
  }
  if (!fields.well_formed() || wrong_in_call(call) || wrong_in_headers(headers)) {
    return Errc::malformed_frame;
  }
  event.verb = call.verb;
  event.noun = call.noun;
  event.query = call.query;
  event.content_type = call.content_type;
  event.headers = std::move(headers);
  event.request_id = call.request_id;
  event.deadline = deadline_from(timeout_ms, now);
  event.target = call.target;
  event.caller = call.caller;
  event.body_bytes = body_bytes;
  return {};
}

Result<DecodedReply> decode_reply(std::string_view head) {
  DecodedReply reply;
  std::string_view content_type;
  std::uint32_t http_status = 0;
  ErrorFields error;
  FieldReader fields(head);
  while (fields.next()) {
    switch (fields.tag()) {
      case varint_field(reply_field::code):
        reply.head.code = static_cast<std::uint32_t>(fields.varint());
        break;
      case bytes_field(reply_field::content_type):
        content_type = fields.bytes();
        break;
      case bytes_field(reply_field::headers):
        if (!read_header(fields.bytes(), reply.head.headers)) return Errc::malformed_frame;
        break;
      case varint_field(reply_field::body_bytes):
        reply.head.body_bytes = fields.varint();
        break;
      case varint_field(reply_field::queued_us):
        reply.head.queued = microseconds_from(fields.varint());
        break;
      case varint_field(reply_field::handled_us):
        reply.head.handled = microseconds_from(fields.varint());
        break;
      case varint_field(reply_field::http_status):
        http_status = static_cast<std::uint32_t>(fields.varint());
        break;
      case bytes_field(reply_field::error):
        reply.failed = true;
        if (!error.read(fields.bytes())) return Errc::malformed_frame;
        break;
      default:
        break;
    }
  }
  if (!fields.well_formed() || wrong_in_reply(content_type) || wrong_in_http_status(http_status) ||
      wrong_in_headers(reply.head.headers) || (reply.failed && !error.valid())) {
    return Errc::malformed_frame;
  }
  if (reply.failed) {
    reply.head = {};
    reply.error = {static_cast<Errc>(error.code), std::string(error.detail), error.has_not_run};
  } else {
    reply.head.content_type = content_type;
    reply.head.http_status = static_cast<std::uint16_t>(http_status);
  }
  return reply;
}

}  // namespace rp::pipe
