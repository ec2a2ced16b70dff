#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rest/cors.h"
#include "rest/problem.h"
#include "rest/request.h"

namespace rp::rest {

struct GuardOptions {
  /// Further Host names (no port) besides localhost, 127.0.0.0/8, [::1], rpclient.local and
  /// rpserver.local.
  std::vector<std::string> allowed_hosts;
  /// Origins that may call, such as "https://board.example"; none by default.
  std::vector<std::string> allowed_origins;
  /// When set, every request carries `Authorization: Bearer TOKEN`.
  std::string bearer_token;
  /// Headers that pages of allowed origins may send, beside those that the front-end knows itself.
  std::vector<std::string> page_headers{};
};

/// Keeps web pages and strangers out: a page in a browser on this machine can reach every local
/// port, so each request is judged by Host (DNS rebinding), Origin and Sec-Fetch-Site (cross-site
/// requests) before any route sees it, whatever its method. A preflight of an allowed origin needs
/// no token, since browsers send none with it; cors() answers it.
class Guard {
 public:
  explicit Guard(GuardOptions options);

  /// Nothing when the request may pass; else why not: 421 for the Host, 403 for the origin, 401 for
  /// the token. `local_address` is the textual IP address that the client connected to: asking for
  /// it by that address is allowed; "" for a Unix socket.
  std::optional<Problem> check(const Request& request, std::string_view local_address) const;

  /// What pages of the allowed origins are told.
  const Cors& cors() const { return cors_; }

 private:
  bool host_allowed(std::string_view host, std::string_view local_address) const;

  const GuardOptions options_;
  const Cors cors_;
};

/// Host header without its port: "a.example:80" -> "a.example", "[::1]:80" -> "[::1]". Nothing when
/// it is malformed.
std::optional<std::string_view> host_without_port(std::string_view host);

}  // namespace rp::rest
