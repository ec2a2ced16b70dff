#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rest/endpoint.h"

namespace rp::tools {

/// One HTTP/1.1 request to a node's REST front-end.
struct HttpRequest {
  rest::Endpoint to;
  std::string method = "GET";  ///< a token, as it goes on the wire
  std::string target = "/";    ///< already percent-encoded, starts with '/'
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::string> body;  ///< sets Content-Length when present
  /// Longest wait for the connection, and then for each further piece of the answer.
  std::chrono::milliseconds timeout{};
};

/// Status line and headers of the answer.
struct HttpHead {
  unsigned status = 0;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> headers;  ///< in order, names as received

  /// Value of the first header of that name, whatever its case.
  std::optional<std::string_view> header(std::string_view name) const;
};

/// Why there is no complete answer; what() names the address.
struct HttpFailure : std::runtime_error {
  enum class Kind { unreachable, timed_out, broken };

  HttpFailure(Kind k, const std::string& line) : std::runtime_error(line), kind(k) {}
  Kind kind;
};

/// Sends the request and hands over the answer as it arrives: the head once, then pieces of the
/// body, which is never held as a whole. Blocks the calling thread. Throws HttpFailure.
void exchange(const HttpRequest& request, const std::function<void(const HttpHead&)>& on_head,
              const std::function<void(std::string_view)>& on_body);

}  // namespace rp::tools
