#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "pipe/error.h"

/// Addresses as they are written in settings and printed in ready lines.
namespace rp::node {

/// A TCP or UDP address that is not yet resolved.
struct HostPort {
  std::string host;  ///< a name or an IP address; IPv6 without brackets
  std::uint16_t port = 0;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// Where a REST front-end listens: a TCP address, or a Unix socket when `unix_path` is set.
struct RestEndpoint {
  HostPort tcp;
  std::filesystem::path unix_path;

  bool is_unix() const noexcept { return !unix_path.empty(); }
  friend bool operator==(const RestEndpoint&, const RestEndpoint&) = default;
};

/// Either a value or a phrase that says what is wrong with the text, without the text itself.
template <class T>
using Parsed = boost::system::result<T, std::string>;

/// "HOST:PORT". The host is a DNS name, an IPv4 address or an IPv6 address in brackets; the port is
/// 0 to 65535 in plain digits. A bare IPv6 address is refused, since its last group could be a
/// port.
Parsed<HostPort> parse_host_port(std::string_view text);

/// "HOST:PORT" or "unix:PATH" with an absolute path short enough for a socket address.
Parsed<RestEndpoint> parse_rest_endpoint(std::string_view text);

/// The form that the parsers accept: IPv6 hosts get their brackets back.
std::string to_string(const HostPort& address);
std::string to_string(const RestEndpoint& endpoint);

}  // namespace rp::node
