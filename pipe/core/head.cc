#include "pipe/core/head.h"

#include <algorithm>

#include <proto/pipe.pb.h>

#include "pipe/core/control.h"
#include "pipe/core/limits.h"
#include "pipe/core/parse.h"

namespace rp::pipe {
namespace v1 = restpipe::v1;

namespace {

// The field limits of proto/pipe.proto.
constexpr std::size_t kNounBytesMax = 16 * 1024;
constexpr std::size_t kQueryBytesMax = 16 * 1024;
constexpr std::size_t kContentTypeBytesMax = 1024;
constexpr std::size_t kRequestIdBytesMax = 128;
constexpr int kHeadersMax = 64;
constexpr std::size_t kHeaderNameBytesMax = 128;
constexpr std::size_t kHeaderValueBytesMax = 8192;
constexpr std::size_t kDetailBytesMax = 1024;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_field_value(std::string_view value, std::size_t bytes_max) {
  return value.size() <= bytes_max && std::none_of(value.begin(), value.end(), [](char c) {
           return is_control(c) && c != '\t';
         });
}

bool is_header_name(std::string_view name) {
  return !name.empty() && name.size() <= kHeaderNameBytesMax &&
         std::all_of(name.begin(), name.end(), is_token_char);
}

bool is_request_id(std::string_view id) {
  return id.size() <= kRequestIdBytesMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool no_controls(std::string_view text, std::size_t bytes_max) {
  return text.size() <= bytes_max && std::none_of(text.begin(), text.end(), is_control);
}

/// Well-formed UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above
/// U+10FFFF. The protobuf parser applies the same rule to the noun of a received head.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) continue;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || i + static_cast<std::size_t>(more) > text.size())
      return false;
    std::uint32_t point = lead & (0x3fU >> more);
    for (int k = 0; k < more; ++k) {
      const auto next = static_cast<unsigned char>(text[i++]);
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3f);
    }
    constexpr std::uint32_t kFirstOfLength[] = {0, 0x80, 0x800, 0x10000};
    if (point < kFirstOfLength[more] || point > 0x10ffff) return false;
    if (point >= 0xd800 && point < 0xe000) return false;
  }
  return true;
}

/// The rules that events and received call heads share; both have the same field names.
template <class Name, class Value, class HeadersT>
const char* check_headers(const HeadersT& headers, Name name, Value value) {
  if (headers.size() > kHeadersMax) return "there are more than 64 headers";
  for (const auto& header : headers) {
    if (!is_header_name(name(header))) return "a header name is not a lower-case token";
    if (!is_field_value(value(header), kHeaderValueBytesMax)) {
      return "a header value holds control bytes or exceeds 8192 bytes";
    }
  }
  return nullptr;
}

const char* check_call_fields(std::string_view verb, std::string_view noun, std::string_view query,
                              std::string_view content_type, std::string_view request_id) {
  if (!is_verb(verb)) return "the verb is not get, post, put, delete or patch";
  if (!no_controls(noun, kNounBytesMax)) return "the noun holds control bytes or exceeds 16 KiB";
  if (!no_controls(query, kQueryBytesMax)) return "the query holds control bytes or exceeds 16 KiB";
  if (!is_field_value(content_type, kContentTypeBytesMax)) {
    return "the content type holds control bytes or exceeds 1024 bytes";
  }
  if (!is_request_id(request_id)) {
    return "the request id is not visible ASCII of at most 128 bytes";
  }
  return nullptr;
}

const char* check_own_headers(const Headers& headers) {
  return check_headers(
      headers, [](const Header& h) -> std::string_view { return h.name; },
      [](const Header& h) -> std::string_view { return h.value; });
}

template <class Message>
const char* check_wire_headers(const Message& message) {
  return check_headers(
      message.headers(), [](const v1::Header& h) -> std::string_view { return h.name(); },
      [](const v1::Header& h) -> std::string_view { return h.value(); });
}

std::size_t headers_bytes(const Headers& headers) {
  constexpr std::size_t kFieldOverhead = 12;
  std::size_t sum = 0;
  for (const Header& h : headers) sum += h.name.size() + h.value.size() + kFieldOverhead;
  return sum;
}

void set_headers(const Headers& headers, google::protobuf::RepeatedPtrField<v1::Header>* out) {
  for (const Header& h : headers) {
    v1::Header* added = out->Add();
    added->set_name(h.name);
    added->set_value(h.value);
  }
}

Headers take_headers(google::protobuf::RepeatedPtrField<v1::Header>* from) {
  Headers headers;
  headers.reserve(static_cast<std::size_t>(from->size()));
  for (v1::Header& h : *from) {
    headers.push_back({std::move(*h.mutable_name()), std::move(*h.mutable_value())});
  }
  return headers;
}

void append_frame(FrameType type, const google::protobuf::MessageLite& head, std::string_view body,
                  bool end, CallId call, std::string& out) {
  const std::size_t head_bytes = head.ByteSizeLong();
  const std::size_t at = out.size();
  out.resize(at + kFrameHeaderBytes + head_bytes);
  encode_header({.payload_bytes = static_cast<std::uint32_t>(head_bytes + body.size()),
                 .type = static_cast<std::uint8_t>(type),
                 .flags = end ? frame_flag::end : std::uint8_t{0},
                 .head_bytes = static_cast<std::uint16_t>(head_bytes),
                 .call = call},
                out.data() + at);
  auto* to = out.data() + at + kFrameHeaderBytes;
  head.SerializeWithCachedSizesToArray(static_cast<std::uint8_t*>(static_cast<void*>(to)));
  out.append(body);
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

}  // namespace

bool is_verb(std::string_view verb) noexcept {
  return verb == "get" || verb == "post" || verb == "put" || verb == "delete" || verb == "patch";
}

std::string check(const Event& event) {
  if (const char* wrong = check_call_fields(event.verb, event.noun, event.query, event.content_type,
                                            event.request_id)) {
    return wrong;
  }
  if (!is_utf8(event.noun)) return "the noun is not UTF-8";
  if (const char* wrong = check_own_headers(event.headers)) return wrong;
  const std::size_t bytes = event.noun.size() + event.query.size() + event.content_type.size() +
                            event.request_id.size() + headers_bytes(event.headers) + 64;
  if (bytes > Limits::kHeadBytesMax) return "path, query and headers together exceed 64 KiB";
  return {};
}

std::string check(const ReplyHead& head) {
  if (!is_field_value(head.content_type, kContentTypeBytesMax)) {
    return "the content type holds control bytes or exceeds 1024 bytes";
  }
  if (const char* wrong = check_own_headers(head.headers)) return wrong;
  if (headers_bytes(head.headers) + kContentTypeBytesMax + 64 > Limits::kHeadBytesMax) {
    return "the headers together exceed 64 KiB";
  }
  return {};
}

void append_call(const Event& event, std::string_view body, bool end, CallId call,
                 Clock::time_point now, std::string& out) {
  thread_local v1::CallHead head;  // reused: its strings keep their memory
  head.Clear();
  head.set_verb(event.verb);
  head.set_noun(event.noun);
  head.set_query(event.query);
  head.set_content_type(event.content_type);
  head.set_request_id(event.request_id);
  head.set_timeout_ms(time_left_ms(event.deadline, now));
  set_headers(event.headers, head.mutable_headers());
  append_frame(FrameType::call, head, body, end, call, out);
}

void append_reply(const ReplyHead& head, std::string_view body, bool end, CallId call,
                  std::string& out) {
  thread_local v1::ReplyHead message;
  message.Clear();
  message.set_code(head.code);
  message.set_content_type(head.content_type);
  if (head.body_bytes) message.set_body_bytes(*head.body_bytes);
  set_headers(head.headers, message.mutable_headers());
  append_frame(FrameType::reply, message, body, end, call, out);
}

void append_error_reply(const Failure& failure, CallId call, std::string& out) {
  v1::ReplyHead message;
  message.mutable_error()->set_code(static_cast<std::uint32_t>(failure.code));
  message.mutable_error()->set_detail(failure.detail.substr(0, kDetailBytesMax));
  append_frame(FrameType::reply, message, {}, true, call, out);
}

Result<Event> decode_call(std::string_view head, Clock::time_point now) {
  thread_local v1::CallHead message;
  if (!parse(message, head)) return Errc::malformed_frame;
  if (check_call_fields(message.verb(), message.noun(), message.query(), message.content_type(),
                        message.request_id()) ||
      check_wire_headers(message)) {
    return Errc::malformed_frame;
  }
  Event event;
  event.verb = message.verb();
  event.noun = message.noun();
  event.query = message.query();
  event.content_type = message.content_type();
  event.headers = take_headers(message.mutable_headers());
  event.request_id = message.request_id();
  event.deadline = deadline_from(message.timeout_ms(), now);
  return event;
}

Result<DecodedReply> decode_reply(std::string_view head) {
  thread_local v1::ReplyHead message;
  if (!parse(message, head)) return Errc::malformed_frame;
  if (!is_field_value(message.content_type(), kContentTypeBytesMax) ||
      check_wire_headers(message)) {
    return Errc::malformed_frame;
  }
  DecodedReply reply;
  if (message.has_error()) {
    const v1::Error& error = message.error();
    if (error.code() < 1 || error.code() > kErrorCodeMax ||
        error.detail().size() > kDetailBytesMax) {
      return Errc::malformed_frame;
    }
    reply.failed = true;
    reply.error = {static_cast<Errc>(error.code()), error.detail()};
    return reply;
  }
  reply.head.code = message.code();
  reply.head.content_type = message.content_type();
  reply.head.headers = take_headers(message.mutable_headers());
  if (message.has_body_bytes()) reply.head.body_bytes = message.body_bytes();
  return reply;
}

}  // namespace rp::pipe
