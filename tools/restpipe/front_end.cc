#include "tools/restpipe/front_end.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include <CLI/Error.hpp>

#include "node/endpoint.h"
#include "pipe/percent.h"

namespace rp::tools {
namespace {

rest::Endpoint parse_rest_or_throw(std::string_view text, const std::string& source) {
  auto endpoint = node::parse_rest_endpoint(text);
  if (!endpoint) {
    throw CLI::ValidationError(source, "\"" + std::string(text) + "\" " + endpoint.error().why +
                                           "; accepted: HOST:PORT or unix:/PATH");
  }
  return std::move(*endpoint);
}

rest::Endpoint default_node(std::string_view path) {
  constexpr std::string_view kServers[] = {"/client/", "/nodes",     "/channels",
                                           "/topics",  "/messages/", "/stats"};
  const bool routed_by_server =
      std::any_of(std::begin(kServers), std::end(kServers),
                  [&](std::string_view begin) { return path.starts_with(begin); });
  return {"127.0.0.1", static_cast<std::uint16_t>(routed_by_server ? 8989 : 8990), ""};
}

rest::Endpoint node_for(std::string_view path, std::string_view rest_flag) {
  if (!rest_flag.empty()) return parse_rest_or_throw(rest_flag, "--rest");
  if (const char* variable = std::getenv("RESTPIPE_REST"); variable && *variable) {
    const std::string_view text(variable);
    return parse_rest_or_throw(text.substr(0, text.find(',')), "RESTPIPE_REST");
  }
  return default_node(path);
}

}  // namespace

Destination find_destination(std::string_view url_or_path, std::string_view rest_flag) {
  constexpr std::string_view kHttp = "http://";
  if (url_or_path.starts_with("https://")) {
    throw CLI::ValidationError("URL", "https is not spoken; accepted: http://HOST[:PORT]/PATH");
  }
  if (!url_or_path.starts_with(kHttp)) {
    std::string path(url_or_path);
    if (!path.starts_with('/')) path.insert(0, 1, '/');
    return {node_for(path, rest_flag), encoded_target(path)};
  }
  const std::string_view rest = url_or_path.substr(kHttp.size());
  const auto slash = rest.find('/');
  std::string authority(rest.substr(0, slash));
  const bool has_port = authority.rfind(':') != authority.npos && !authority.ends_with(']');
  if (!has_port) authority += ":80";
  rest::Endpoint node = parse_rest_or_throw(rest_flag.empty() ? authority : rest_flag, "URL");
  return {std::move(node), encoded_target(slash == rest.npos ? "/" : rest.substr(slash))};
}

std::string encoded_target(std::string_view path) {
  // All that URLs are made of but '#', which is never sent; each '%' is the user's own.
  constexpr std::string_view kTargetMarks = "!$%&'()*+,-./:;=?@[]_~";
  return pipe::percent_encoded(path, kTargetMarks);
}

}  // namespace rp::tools
