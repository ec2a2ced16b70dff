#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

namespace rp::rest {

/// Where the front-end listens: host and port, or the path of a Unix socket.
struct Endpoint {
  std::string host;        ///< name or IP address without brackets; "" for a Unix socket
  std::uint16_t port = 0;  ///< 0 lets the system choose
  std::string unix_path;   ///< absolute path; "" for TCP

  bool is_unix() const { return !unix_path.empty(); }
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// "127.0.0.1:8989", "[::1]:0", "localhost:80" or "unix:/run/x.sock". The error is a sentence that
/// names the text and what is accepted.
boost::system::result<Endpoint, std::string> parse_endpoint(std::string_view text);

/// The form that parse_endpoint() takes.
std::string to_string(const Endpoint& endpoint);

}  // namespace rp::rest
