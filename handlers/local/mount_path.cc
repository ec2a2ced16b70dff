#include "handlers/local/mount_path.h"

namespace rp::handlers {
namespace {

bool stands_for_itself(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~!$&'()*+,;=:@/").find(c) != std::string_view::npos;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/// Whether `text` has a whole %XX at `at`.
bool is_escape(std::string_view text, std::size_t at) {
  return at + 2 < text.size() && text[at] == '%' && hex_value(text[at + 1]) >= 0 &&
         hex_value(text[at + 2]) >= 0;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_escape(text, i)) {
      decoded += text[i];
      continue;
    }
    decoded += static_cast<char>(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
    i += 2;
  }
  return decoded;
}

}  // namespace

std::string_view path_below(std::string_view mount, std::string_view noun) {
  noun.remove_prefix(mount.size());
  if (noun.starts_with("//")) noun.remove_prefix(1);
  return noun;
}

bool has_dot_dot(std::string_view path) {
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return false;
}

std::string percent_encoded(std::string_view path) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  text.reserve(path.size());
  for (const char c : path) {
    if (stands_for_itself(c)) {
      text += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    text.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return text;
}

std::string encoded_path_below(std::string_view mount, std::string_view noun,
                               std::string_view written) {
  const bool counts = written.starts_with(mount) && percent_decoded(written) == noun;
  if (!counts) return percent_encoded(path_below(mount, noun));
  const auto path = path_below(mount, written);
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool escape = is_escape(path, i);
    text += escape ? std::string(path.substr(i, 3)) : percent_encoded(path.substr(i, 1));
    if (escape) i += 2;
  }
  return text;
}

}  // namespace rp::handlers
