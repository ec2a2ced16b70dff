#include "rest/endpoint.h"

#include <charconv>
#include <optional>
#include <utility>

namespace rp::rest {
namespace {

// sockaddr_un holds 108 bytes, the terminating zero included.
constexpr std::size_t kUnixPathMax = 107;

using Parsed = boost::system::result<Endpoint, std::string>;

Parsed complaint(std::string_view text, std::string_view what) {
  std::string sentence = "'" + std::string(text) + "' " + std::string(what) +
                         "; accepted are HOST:PORT, [IPV6]:PORT and unix:/ABSOLUTE/PATH";
  return {boost::system::in_place_error, std::move(sentence)};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, port);
  if (text.empty() || ec != std::errc() || stop != end) return std::nullopt;
  return port;
}

}  // namespace

boost::system::result<Endpoint, std::string> parse_endpoint(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) {
    const auto path = text.substr(kUnix.size());
    if (!path.starts_with('/')) return complaint(text, "has no absolute path");
    if (path.size() > kUnixPathMax) return complaint(text, "is longer than 107 bytes");
    return Endpoint{"", 0, std::string(path)};
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return complaint(text, "has no port");
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return complaint(text, "has a port that is not a number from 0 to 65535");
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty()) return complaint(text, "has no host");
  if (!bracketed && host.find(':') != std::string_view::npos)
    return complaint(text, "has an IPv6 address without brackets");
  return Endpoint{std::string(host), *port, ""};
}

std::string to_string(const Endpoint& endpoint) {
  if (endpoint.is_unix()) return "unix:" + endpoint.unix_path;
  const bool ipv6 = endpoint.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

}  // namespace rp::rest
