#include "rest/guard.h"

#include <algorithm>
#include <array>
#include <utility>

#include "rest/text.h"

namespace rp::rest {
namespace {

Problem refusal(int status, std::string code, std::string detail) {
  Problem problem;
  problem.status = status;
  problem.code = std::move(code);
  problem.detail = std::move(detail);
  return problem;
}

/// 127.0.0.0/8 in dotted decimal, each part one to three digits.
bool is_loopback_ipv4(std::string_view host) {
  if (!host.starts_with("127.")) return false;
  int parts = 0;  // complete ones behind the first
  int digits = 0;
  int value = 0;
  for (const char c : host.substr(4)) {
    if (c == '.') {
      if (digits == 0) return false;
      ++parts;
      digits = value = 0;
    } else {
      if (c < '0' || c > '9' || ++digits > 3) return false;
      value = 10 * value + (c - '0');
      if (value > 255) return false;
    }
  }
  return parts == 2 && digits > 0;
}

/// Takes the same time wherever the first difference is. The length of the token is no secret.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

bool carries_token(const Request& request, std::string_view token) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto value = request.header("authorization");
  return value && value->size() > kScheme.size() &&
         equals_ignoring_case(value->substr(0, kScheme.size()), kScheme) &&
         equal_in_constant_time(trimmed(value->substr(kScheme.size())), token);
}

}  // namespace

std::optional<std::string_view> host_without_port(std::string_view host) {
  const auto bracket = host.starts_with('[') ? host.find(']') : std::string_view::npos;
  if (host.starts_with('[') && bracket == std::string_view::npos) return std::nullopt;
  const auto name =
      host.starts_with('[') ? host.substr(0, bracket + 1) : host.substr(0, host.find(':'));
  const auto port = host.substr(name.size());
  const bool good_port =
      port.empty() ||
      (port.front() == ':' && port.find_first_not_of("0123456789", 1) == std::string_view::npos);
  if (name.empty() || !good_port) return std::nullopt;
  return name;
}

Guard::Guard(GuardOptions options)
    : options_(std::move(options)), cors_(options_.allowed_origins, options_.page_headers) {}

bool Guard::host_allowed(std::string_view host, std::string_view local_address) const {
  const auto name = host_without_port(host);
  if (!name) return false;
  auto bare = *name;
  if (bare.ends_with('.')) bare.remove_suffix(1);  // the root label of an absolute name
  if (!local_address.empty() && bare == local_address) return true;
  static constexpr std::array<std::string_view, 4> kOwn = {"localhost", "[::1]", "rpclient.local",
                                                           "rpserver.local"};
  const auto same = [&](std::string_view other) { return equals_ignoring_case(bare, other); };
  if (std::any_of(kOwn.begin(), kOwn.end(), same) || is_loopback_ipv4(bare)) return true;
  if (!local_address.empty() && bare.starts_with('[') &&
      equals_ignoring_case(bare.substr(1, bare.size() - 2), local_address))
    return true;
  return std::any_of(options_.allowed_hosts.begin(), options_.allowed_hosts.end(), same);
}

std::optional<Problem> Guard::check(const Request& request, std::string_view local_address) const {
  if (!request.host().empty() && !host_allowed(request.host(), local_address))
    return refusal(421, "bad_host",
                   "this node does not answer for that Host; it takes localhost, its own address, "
                   "rpclient.local, rpserver.local and the names allowed by its configuration");
  bool origin_allowed = false;
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    if (request.header_name(i) != "origin") continue;
    if (!cors_.allows(request.header_value(i)))
      return refusal(403, "bad_origin", "requests from web pages of that origin are not allowed");
    origin_allowed = true;
  }
  const auto site = request.header("sec-fetch-site");
  if (!origin_allowed && site && *site != "none" && *site != "same-origin")
    return refusal(403, "bad_origin", "requests from web pages of other sites are not allowed");
  const bool needs_token = !options_.bearer_token.empty() && !cors_.is_preflight(request);
  if (needs_token && !carries_token(request, options_.bearer_token)) {
    auto problem = refusal(401, "unauthorized", "send the node's token as Authorization: Bearer");
    problem.headers.push_back({"WWW-Authenticate", "Bearer"});
    return problem;
  }
  return std::nullopt;
}

}  // namespace rp::rest
