#include "handlers/proxy/proxy_address.h"

#include <algorithm>
#include <charconv>
#include <sys/un.h>

namespace rp::handlers {
namespace {

constexpr std::uint16_t kHttpPort = 80;

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool is_ipv6_character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
         c == '.';
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (ec != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<ProxyAddress> parse_host_and_port(std::string_view text) {
  ProxyAddress address;
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    address.host = text.substr(1, bracket - 1);
    if (!std::all_of(address.host.begin(), address.host.end(), is_ipv6_character)) {
      return std::nullopt;
    }
    text.remove_prefix(bracket + 1);
  } else {
    address.host = text.substr(0, text.find(':'));
    if (!std::all_of(address.host.begin(), address.host.end(), is_host_character)) {
      return std::nullopt;
    }
    text.remove_prefix(address.host.size());
  }
  if (address.host.empty()) return std::nullopt;
  address.port = kHttpPort;
  if (text.empty()) return address;
  if (!text.starts_with(':')) return std::nullopt;
  const auto port = parse_port(text.substr(1));
  if (!port) return std::nullopt;
  address.port = *port;
  return address;
}

}  // namespace

std::string ProxyAddress::authority() const {
  if (is_unix()) return "localhost";
  const auto name = host.find(':') == std::string::npos ? host : '[' + host + ']';
  return port == kHttpPort ? name : name + ':' + std::to_string(port);
}

std::optional<ProxyAddress> parse_proxy_address(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  constexpr std::string_view kHttp = "http://";
  if (text.starts_with(kUnix)) {
    ProxyAddress address;
    address.unix_path = text.substr(kUnix.size());
    const bool usable = address.unix_path.starts_with('/') &&
                        address.unix_path.size() < sizeof(sockaddr_un::sun_path) &&
                        address.unix_path.find('\0') == std::string::npos;
    if (!usable) return std::nullopt;
    return address;
  }
  if (!text.starts_with(kHttp)) return std::nullopt;
  text.remove_prefix(kHttp.size());
  if (text.ends_with('/')) text.remove_suffix(1);
  return parse_host_and_port(text);
}

}  // namespace rp::handlers
