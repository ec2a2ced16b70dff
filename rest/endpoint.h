#pragma once

#include <cstdint>
#include <string>

namespace rp::rest {

/// Where the front-end listens: host and port, or the path of a Unix socket.
struct Endpoint {
  std::string host;        ///< name or IP address without brackets; "" for a Unix socket
  std::uint16_t port = 0;  ///< 0 lets the system choose
  std::string unix_path;   ///< absolute path; "" for TCP

  bool is_unix() const { return !unix_path.empty(); }
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// "127.0.0.1:8989", "[::1]:0" or "unix:/run/x.sock": the form in which settings name it.
std::string to_string(const Endpoint& endpoint);

}  // namespace rp::rest
