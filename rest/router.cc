#include "rest/router.h"

#include <algorithm>
#include <utility>

#include "rest/problem.h"

namespace rp::rest {
namespace {

std::vector<std::string> with_head(std::vector<std::string> methods) {
  const auto get = std::find(methods.begin(), methods.end(), "GET");
  const bool has_head = std::find(methods.begin(), methods.end(), "HEAD") != methods.end();
  if (get != methods.end() && !has_head) methods.insert(get + 1, "HEAD");
  return methods;
}

std::string joined(const std::vector<std::string>& methods) {
  std::string list;
  for (const std::string& method : methods) list += (list.empty() ? "" : ", ") + method;
  return list;
}

}  // namespace

void Router::exact(std::string path, std::vector<std::string> methods, Handler handler) {
  auto all = with_head(std::move(methods));
  auto allow = joined(all);
  exact_.push_back({std::move(path), std::move(all), std::move(allow), std::move(handler), {}});
}

void Router::prefix(std::string path, std::vector<std::string> methods, Handler handler,
                    Body body) {
  auto all = with_head(std::move(methods));
  auto allow = joined(all);
  const auto longer_or_equal = [&](const Route& route) { return route.path.size() >= path.size(); };
  const auto at = std::find_if_not(prefixes_.begin(), prefixes_.end(), longer_or_equal);
  prefixes_.insert(at,
                   {std::move(path), std::move(all), std::move(allow), std::move(handler), body});
}

const Router::Route* Router::find(std::string_view path) const {
  for (const Route& route : exact_) {
    if (route.path == path) return &route;
  }
  for (const Route& route : prefixes_) {
    if (path.starts_with(route.path)) return &route;
  }
  return nullptr;
}

bool Router::streams_body(const Request& request) const {
  const Route* route = find(request.path());
  return route != nullptr && route->body == Body::streamed;
}

void Router::operator()(const std::shared_ptr<Exchange>& exchange) const {
  const Request& request = exchange->request();
  const Route* route = find(request.path());
  if (route == nullptr) return exchange->respond(to_response(not_found(), request));
  const auto& methods = route->methods;
  const bool allowed = methods.empty() ||
                       std::find(methods.begin(), methods.end(), request.method()) != methods.end();
  if (!allowed) return exchange->respond(method_not_allowed(request, route->allow));
  route->handler(exchange);
}

}  // namespace rp::rest
