#include "pipe/base64.h"

#include <cstddef>
#include <cstdint>

namespace rp::pipe {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group <<= 8U;
      if (at + i < bytes.size()) group |= static_cast<unsigned char>(bytes[at + i]);
    }
    const auto left = bytes.size() - at;
    for (std::size_t i = 0; i < 4; ++i) {
      out.push_back(i <= left ? kDigits[(group >> (18 - 6 * i)) & 63U] : '=');
    }
  }
  return out;
}

std::optional<std::string> base64_decoded(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  auto digits = text.substr(0, text.find('='));
  const auto padding = text.size() - digits.size();
  if (padding > 2 || text.find_first_not_of('=', digits.size()) != std::string_view::npos) {
    return std::nullopt;
  }
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : digits) {
    const auto value = kDigits.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out.push_back(static_cast<char>((bits >> held) & 0xFFU));
  }
  return out;
}

}  // namespace rp::pipe
