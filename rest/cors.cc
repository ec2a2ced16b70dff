#include "rest/cors.h"

#include <algorithm>
#include <array>
#include <utility>

#include "rest/text.h"

namespace rp::rest {
namespace {

// What events can be made of (event_gateway.cc).
constexpr const char* kMethods = "GET, HEAD, POST, PUT, DELETE, PATCH";

// The front-end reads these itself.
constexpr std::array<std::string_view, 7> kOwnHeaders = {
    "accept",          "authorization",      "content-type", "idempotency-key",
    "request-timeout", "x-request-deadline", "x-request-id"};

// Handlers and applications choose names of their own. The star stands for all of them; browsers
// that do not know it still get what every event's answer has.
constexpr std::string_view kExposed = "X-Event-Return-Code, X-Request-Id, Server-Timing, *";

// How long a browser may remember the answer to a preflight, in seconds: as short as an operator
// who takes an origin off the list would like to wait, long enough for a page at work.
constexpr const char* kMaxAge = "600";

/// The only Origin of the request; "" when there is none, or more than one.
std::string_view only_origin(const Request& request) {
  std::string_view origin;
  int count = 0;
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    if (request.header_name(i) != "origin") continue;
    origin = request.header_value(i);
    ++count;
  }
  return count == 1 ? origin : std::string_view();
}

}  // namespace

Cors::Cors(std::vector<std::string> origins, const std::vector<std::string>& headers)
    : origins_(std::move(origins)) {
  const auto add = [&](std::string_view name) {
    if (!headers_.empty()) headers_ += ", ";
    headers_ += name;
  };
  std::for_each(kOwnHeaders.begin(), kOwnHeaders.end(), add);
  for (const std::string& name : headers) {
    const auto same = [&](std::string_view own) { return equals_ignoring_case(own, name); };
    if (std::none_of(kOwnHeaders.begin(), kOwnHeaders.end(), same)) add(name);
  }
}

bool Cors::allows(std::string_view origin) const {
  return std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

std::string Cors::lines_for(const Request& request) const {
  if (origins_.empty()) return "";
  std::string lines = "Vary: Origin\r\n";
  const auto origin = only_origin(request);
  if (!allows(origin)) return lines;
  lines.append("Access-Control-Allow-Origin: ").append(origin).append("\r\n");
  lines.append("Access-Control-Expose-Headers: ").append(kExposed).append("\r\n");
  return lines;
}

std::optional<Response> Cors::preflight_answer(const Request& request) const {
  if (!is_preflight(request)) return std::nullopt;
  Response response;
  response.head.status = 204;
  response.head.headers = {{"Access-Control-Allow-Methods", kMethods},
                           {"Access-Control-Allow-Headers", headers_},
                           {"Access-Control-Max-Age", kMaxAge}};
  return response;
}

bool Cors::is_preflight(const Request& request) const {
  return request.method() == "OPTIONS" && request.header("access-control-request-method") &&
         allows(only_origin(request));
}

}  // namespace rp::rest
