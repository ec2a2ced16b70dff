#include "rest/address.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "pipe/percent.h"
#include "pipe/url_path.h"

namespace rp::rest {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD in UTF-8

/// One byte of the decoded path and how many raw characters it took.
struct Decoded {
  unsigned char byte;
  std::size_t taken;
};

Decoded decode_at(std::string_view raw, std::size_t at) {
  const char c = raw[at];
  if (c == '%') {
    if (const auto byte = pipe::escaped_byte(raw, at))
      return {static_cast<unsigned char>(*byte), 3};
  }
  return {static_cast<unsigned char>(c), 1};
}

bool is_continuation(unsigned char byte) { return (byte & 0xC0U) == 0x80U; }

/// What a lead byte asks for (Unicode 15, table 3-7): how many bytes follow, and the range of the
/// first of them, which excludes overlong forms, surrogates and what lies beyond U+10FFFF.
struct Lead {
  int following;
  unsigned char second_min;
  unsigned char second_max;
};

Lead lead_of(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

bool starts_overlong(unsigned char lead, unsigned char second) {
  if (!is_continuation(second)) return false;
  return lead == 0xC0 || lead == 0xC1 || (lead == 0xE0 && second < 0xA0) ||
         (lead == 0xF0 && second < 0x90);
}

/// Copies `bytes`, which holds non-ASCII, to `out` with ill-formed parts replaced.
std::optional<PathError> copy_as_utf8(std::string_view bytes, std::string& out) {
  const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (byte_at(at) < 0x80) {
      out += bytes[at++];
      continue;
    }
    const bool has_second = at + 1 < bytes.size();
    if (has_second && starts_overlong(byte_at(at), byte_at(at + 1)))
      return PathError::overlong_utf8;
    const Lead lead = lead_of(byte_at(at));
    std::size_t size = 1;
    if (lead.following > 0 && has_second && byte_at(at + 1) >= lead.second_min &&
        byte_at(at + 1) <= lead.second_max) {
      ++size;
      while (size <= static_cast<std::size_t>(lead.following) && at + size < bytes.size() &&
             is_continuation(byte_at(at + size)))
        ++size;
    }
    const bool complete =
        lead.following > 0 && size == static_cast<std::size_t>(lead.following) + 1;
    out += complete ? bytes.substr(at, size) : kReplacement;
    at += size;
  }
  return std::nullopt;
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

}  // namespace

std::string_view sentence(PathError e) {
  switch (e) {
    case PathError::control_byte:
      return "the path holds a control byte; bytes below 0x20 and 0x7f are refused, encoded or not";
    case PathError::backslash:
      return "the path holds a backslash; only '/' separates segments";
    case PathError::dot_dot_segment:
      return "the path holds a '..' segment; send the path that is meant";
    case PathError::overlong_utf8:
      return "the path holds an overlong UTF-8 sequence; send the shortest encoding";
  }
  return "the path is malformed";
}

std::optional<PathError> decode_path(std::string_view raw, std::string& out) {
  out.clear();
  out.reserve(raw.size());
  bool ascii = true;
  for (std::size_t at = 0; at < raw.size();) {
    const auto [byte, taken] = decode_at(raw, at);
    if (byte < 0x20 || byte == 0x7F) return PathError::control_byte;
    if (byte == '\\') return PathError::backslash;
    ascii = ascii && byte < 0x80;
    out += static_cast<char>(byte);
    at += taken;
  }
  if (!ascii) {
    const std::string bytes = std::move(out);
    out.clear();
    if (const auto error = copy_as_utf8(bytes, out)) return error;
  }
  if (pipe::has_dot_dot(out)) return PathError::dot_dot_segment;
  return std::nullopt;
}

std::string_view behind_decoded(std::string_view raw, std::size_t decoded_bytes) {
  while (decoded_bytes-- > 0 && !raw.empty()) raw.remove_prefix(decode_at(raw, 0).taken);
  return raw;
}

std::optional<EventAddress> parse_event_address(std::string_view path) {
  constexpr std::string_view kServer = "/server/";
  constexpr std::string_view kClient = "/client/";
  if (path.starts_with(kServer)) {
    return EventAddress{EventAddress::Side::server, "", std::string(path.substr(kServer.size()))};
  }
  if (!path.starts_with(kClient)) return std::nullopt;
  path.remove_prefix(kClient.size());
  const auto slash = path.find('/');
  if (slash == 0 || slash == std::string_view::npos) return std::nullopt;
  const std::string_view host = path.substr(0, slash);
  if (host != "*" && !std::all_of(host.begin(), host.end(), is_host_character)) return std::nullopt;
  return EventAddress{EventAddress::Side::client, std::string(host),
                      std::string(path.substr(slash + 1))};
}

}  // namespace rp::rest
