#include "node/endpoint.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <sys/un.h>

namespace rp::node {
namespace {

constexpr std::size_t kHostBytesMax = 253;  // the longest DNS name in text form, RFC 1035
constexpr std::size_t kUnixPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

bool is_ipv6(const std::string& host) {
  in6_addr ignored;
  return ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

bool is_host_name(std::string_view host) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  };
  return !host.empty() && host.size() <= kHostBytesMax && host.front() != '-' &&
         host.front() != '.' && std::all_of(host.begin(), host.end(), allowed);
}

Parsed<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || stop != end || port > 65'535) {
    return Refusal::because("has a port that is not a number from 0 to 65535");
  }
  return static_cast<std::uint16_t>(port);
}

}  // namespace

Parsed<HostPort> parse_host_port(std::string_view text) {
  std::string_view host;
  std::string_view port;
  const bool bracketed = text.starts_with('[');
  if (bracketed) {
    const auto close = text.find(']');
    if (close == text.npos || close + 1 == text.size() || text[close + 1] != ':') {
      return Refusal::because("has an IPv6 address that is not written [ADDRESS]:PORT");
    }
    host = text.substr(1, close - 1);
    port = text.substr(close + 2);
  } else {
    const auto colon = text.rfind(':');
    if (colon == text.npos) return Refusal::because("has no :PORT");
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.find(':') != host.npos) {
      return Refusal::because("has an IPv6 address that is not written [ADDRESS]:PORT");
    }
  }
  HostPort result{std::string(host), 0};
  if (bracketed ? !is_ipv6(result.host) : !is_host_name(host)) {
    return Refusal::because("has a host that is neither a name nor an IP address");
  }
  const auto number = parse_port(port);
  if (!number) return number.error();
  result.port = *number;
  return result;
}

Parsed<rest::Endpoint> parse_rest_endpoint(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (!text.starts_with(kUnix)) {
    auto tcp = parse_host_port(text);
    if (!tcp) return tcp.error();
    return rest::Endpoint{std::move(tcp->host), tcp->port, {}};
  }
  const std::string_view path = text.substr(kUnix.size());
  if (!path.starts_with('/'))
    return Refusal::because("has a Unix socket path that does not start with /");
  if (path.size() > kUnixPathBytesMax) {
    return Refusal::because("has a Unix socket path over " + std::to_string(kUnixPathBytesMax) +
                            " bytes");
  }
  if (path.find('\0') != path.npos) return Refusal::because("holds a NUL byte");
  return rest::Endpoint{{}, 0, std::string(path)};
}

std::string to_string(const HostPort& address) {
  const bool brackets = address.host.find(':') != address.host.npos;
  std::string text = brackets ? '[' + address.host + ']' : address.host;
  return text + ':' + std::to_string(address.port);
}

}  // namespace rp::node
