#include "pipe/core/head_rules.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "pipe/core/head.h"
#include "pipe/utf8.h"

namespace rp::pipe {
namespace {

constexpr std::size_t kNounBytesMax = 16 * 1024;
constexpr std::size_t kQueryBytesMax = 16 * 1024;
constexpr std::size_t kContentTypeBytesMax = 1024;
constexpr std::size_t kRequestIdBytesMax = 128;
constexpr std::size_t kNodeBytesMax = 253;
constexpr std::size_t kHeaderNameBytesMax = 128;
constexpr std::size_t kHeaderValueBytesMax = 8192;

// What a byte is, in bits, so that a text is judged by one table look-up for each of its bytes.
constexpr std::uint8_t kTab = 1;
constexpr std::uint8_t kOtherControl = 2;
constexpr std::uint8_t kNotToken = 4;
constexpr std::uint8_t kNotVisible = 8;
constexpr std::uint8_t kNotAscii = 16;

constexpr std::array<std::uint8_t, 256> kKinds = [] {
  std::array<std::uint8_t, 256> kinds{};
  for (unsigned c = 0; c < kinds.size(); ++c) {
    const bool control = c < 0x20 || c == 0x7f;
    const bool token =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
        std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
    kinds[c] = static_cast<std::uint8_t>(
        (c == '\t' ? kTab : 0) | (control && c != '\t' ? kOtherControl : 0) |
        (token ? 0 : kNotToken) | (c > 0x20 && c < 0x7f ? 0 : kNotVisible) |
        (c < 0x80 ? 0 : kNotAscii));
  }
  return kinds;
}();

unsigned kinds_of_each(std::string_view text) noexcept {
  unsigned kinds = 0;
  for (const char c : text) kinds |= kKinds[static_cast<unsigned char>(c)];
  return kinds;
}

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

/// Whether eight bytes are all visible ASCII, 0x21 to 0x7e: then only a token could mind them.
bool all_visible(const char* bytes) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighBits = 0x80 * kOnes;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, kWordBytes);
  const std::uint64_t below_0x21 = (word - 0x21 * kOnes) & ~word;
  const std::uint64_t is_0x7f = word + kOnes;
  return ((below_0x21 | is_0x7f | word) & kHighBits) == 0;
}

/// All kinds but kNotToken that occur in the text. Nearly all text is visible, so it is passed over
/// by the word; the last word overlaps the one before it.
unsigned kinds_in(std::string_view text) noexcept {
  if (text.size() < kWordBytes) return kinds_of_each(text);
  unsigned kinds = 0;
  const auto judge = [&](std::size_t at) {
    if (!all_visible(text.data() + at)) kinds |= kinds_of_each(text.substr(at, kWordBytes));
  };
  const std::size_t last = text.size() - kWordBytes;
  for (std::size_t at = 0; at < last; at += kWordBytes) judge(at);
  judge(last);
  return kinds;
}

bool holds(std::string_view text, unsigned kinds) noexcept { return (kinds_in(text) & kinds) != 0; }

bool is_field_value(std::string_view value, std::size_t bytes_max) noexcept {
  return value.size() <= bytes_max && !holds(value, kOtherControl);
}

const char* wrong_in_noun(std::string_view noun) noexcept {
  const unsigned kinds = kinds_in(noun);
  if ((kinds & (kTab | kOtherControl)) != 0 || noun.size() > kNounBytesMax) {
    return "the noun holds control bytes or exceeds 16 KiB";
  }
  if ((kinds & kNotAscii) != 0 && !is_utf8(noun)) return "the noun is not UTF-8";
  return nullptr;
}

}  // namespace

bool is_verb(std::string_view verb) noexcept {
  return verb == "get" || verb == "post" || verb == "put" || verb == "delete" || verb == "patch";
}

const char* wrong_in_call(const CallFields& fields) noexcept {
  if (!is_verb(fields.verb)) return "the verb is not get, post, put, delete or patch";
  if (const char* wrong = wrong_in_noun(fields.noun)) return wrong;
  if (fields.query.size() > kQueryBytesMax || holds(fields.query, kTab | kOtherControl)) {
    return "the query holds control bytes or exceeds 16 KiB";
  }
  if (const char* wrong = wrong_in_reply(fields.content_type)) return wrong;
  if (fields.request_id.size() > kRequestIdBytesMax || holds(fields.request_id, kNotVisible)) {
    return "the request id is not visible ASCII of at most 128 bytes";
  }
  for (const std::string_view name : {fields.target, fields.caller}) {
    if (name.size() > kNodeBytesMax || holds(name, kNotVisible)) {
      return "a node's name is not visible ASCII of at most 253 bytes";
    }
  }
  return nullptr;
}

const char* wrong_in_reply(std::string_view content_type) noexcept {
  if (is_field_value(content_type, kContentTypeBytesMax)) return nullptr;
  return "the content type holds control bytes or exceeds 1024 bytes";
}

const char* wrong_in_http_status(std::uint32_t status) noexcept {
  if (status == 0 || (status >= 200 && status <= 599)) return nullptr;
  return "the HTTP status is not between 200 and 599";
}

const char* wrong_in_headers(const Headers& headers) noexcept {
  if (headers.size() > kHeadersMax) return "there are more than 64 headers";
  for (const Header& header : headers) {
    if (header.name.empty() || header.name.size() > kHeaderNameBytesMax ||
        (kinds_of_each(header.name) & kNotToken) != 0) {
      return "a header name is not a lower-case token";
    }
    if (!is_field_value(header.value, kHeaderValueBytesMax)) {
      return "a header value holds control bytes or exceeds 8192 bytes";
    }
  }
  return nullptr;
}

}  // namespace rp::pipe
