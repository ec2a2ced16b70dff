#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rp::handlers {

/// Where a proxied application listens.
struct ProxyAddress {
  std::string host;  ///< name or IP address without brackets; "" for a Unix socket
  std::uint16_t port = 0;
  std::string unix_path;  ///< absolute; "" for TCP

  friend bool operator==(const ProxyAddress&, const ProxyAddress&) = default;
  bool is_unix() const { return !unix_path.empty(); }
  /// As the Host header has it: "127.0.0.1:3000", "[::1]:3000", "example"; "localhost" for a Unix
  /// socket.
  std::string authority() const;
  /// As settings have it, for the log.
  std::string text() const { return is_unix() ? "unix:" + unix_path : "http://" + authority(); }
};

/// "http://HOST[:PORT]" or "unix:/PATH"; nothing for what is neither.
std::optional<ProxyAddress> parse_proxy_address(std::string_view text);

}  // namespace rp::handlers
