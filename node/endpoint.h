#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <boost/system/result.hpp>

#include "rest/endpoint.h"

/// Addresses as they are written in settings and printed in ready lines.
namespace rp::node {

/// A TCP or UDP address that is not yet resolved.
struct HostPort {
  std::string host;  ///< a name or an IP address; IPv6 without brackets
  std::uint16_t port = 0;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// What is wrong with a text, as a phrase that follows the text: "is not a node name".
struct Refusal {
  std::string why;

  Refusal() = default;
  /// Not a constructor: a result of text must be able to tell a value from a refusal.
  static Refusal because(std::string why) {
    Refusal refusal;
    refusal.why = std::move(why);
    return refusal;
  }
};

/// Either a value or why there is none.

template <class T>
using Parsed = boost::system::result<T, Refusal>;

/// "HOST:PORT". The host is a DNS name, an IPv4 address or an IPv6 address in brackets; the port is
/// 0 to 65535 in plain digits. A bare IPv6 address is refused, since its last group could be a
/// port.
Parsed<HostPort> parse_host_port(std::string_view text);

/// "HOST:PORT" or "unix:PATH" with an absolute path short enough for a socket address.
Parsed<rest::Endpoint> parse_rest_endpoint(std::string_view text);

/// The form that parse_host_port() accepts: IPv6 hosts get their brackets back.
std::string to_string(const HostPort& address);

}  // namespace rp::node
