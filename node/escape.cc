#include "node/escape.h"

#include <cstddef>
#include <cstdint>

#include "pipe/utf8.h"

namespace rp::node {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

/// One character of UTF-8, or one byte that is none.
struct Character {
  std::uint32_t code;
  std::size_t bytes;
  bool valid;
};

Character next_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t bytes = pipe::utf8_character_bytes(text);
  if (bytes <= 1) return {byte(0), 1, bytes == 1};
  std::uint32_t code = byte(0) & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) code = code << 6 | (byte(i) & 0x3fU);
  return {code, bytes, true};
}

/// C0, DEL and C1: what makes terminals act and lines break. U+2028 and U+2029 break lines too.
bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

void append_hex_byte(std::string& out, unsigned char byte) {
  out.append("\\x").push_back(kHex[byte >> 4]);
  out.push_back(kHex[byte & 15]);
}

void append_unicode_escape(std::string& out, std::uint32_t code) {
  out.append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kHex[code >> shift & 15]);
}

}  // namespace

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Character c = next_character(text);
    if (!c.valid) {
      out.append("\xef\xbf\xbd");
    } else if (c.code == '"' || c.code == '\\') {
      out.push_back('\\');
      out.push_back(text.front());
    } else if (c.code == '\n') {
      out.append("\\n");
    } else if (is_control(c.code)) {
      append_unicode_escape(out, c.code);
    } else {
      out.append(text.substr(0, c.bytes));
    }
    text.remove_prefix(c.bytes);
  }
  out.push_back('"');
  return out;
}

std::string logfmt_value(std::string_view text) {
  std::string out;
  bool quote = text.empty();
  while (!text.empty()) {
    const Character c = next_character(text);
    if (!c.valid || is_control(c.code)) {
      for (const char byte : text.substr(0, c.bytes)) {
        append_hex_byte(out, static_cast<unsigned char>(byte));
      }
    } else {
      if (c.code == '"' || c.code == '\\') out.push_back('\\');
      out.append(text.substr(0, c.bytes));
    }
    quote = quote || c.code == ' ' || c.code == '=' || c.code == '"';
    text.remove_prefix(c.bytes);
  }
  return quote ? '"' + out + '"' : out;
}

}  // namespace rp::node
