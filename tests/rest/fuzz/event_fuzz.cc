#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "rest/address.h"

/// Takes arbitrary bytes for a raw path and follows them to an event's address. What comes out has
/// to be UTF-8 without control bytes, backslashes and ".." segments, and is decoded exactly once.
namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

/// An independent, slow check of UTF-8: decodes each character and encodes it again.
bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const std::size_t size = byte(0) < 0x80   ? 1
                             : byte(0) < 0xC0 ? 0
                             : byte(0) < 0xE0 ? 2
                             : byte(0) < 0xF0 ? 3
                             : byte(0) < 0xF8 ? 4
                                              : 0;
    if (size == 0 || size > text.size()) return false;
    std::uint32_t point = size == 1 ? byte(0) : byte(0) & (0xFFU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
      if ((byte(i) & 0xC0U) != 0x80U) return false;
      point = (point << 6U) | (byte(i) & 0x3FU);
    }
    constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kSmallest[size] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
      return false;
    text.remove_prefix(size);
  }
  return true;
}

bool has_dot_dot_segment(const std::string& path) {
  return ("/" + path + "/").find("/../") != std::string::npos;
}

/// The only encoding that every decoder has to undo: each byte as %XX.
std::string encoded(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  std::string path;
  if (rp::rest::decode_path(raw, path)) return 0;

  require(is_utf8(path));
  require(!has_dot_dot_segment(path));
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    require(byte >= 0x20 && byte != 0x7F && byte != '\\');
  }
  std::string again;
  require(!rp::rest::decode_path(encoded(path), again));
  require(again == path);

  if (const auto address = rp::rest::parse_event_address(path)) {
    const bool server = address->side == rp::rest::EventAddress::Side::server;
    require(server == address->host.empty());
    const std::string prefix = server ? "/server/" : "/client/" + address->host + "/";
    require(path == prefix + address->noun);
    require(address->host.find_first_of("/:[]") == std::string::npos);
  }
  return 0;
}
