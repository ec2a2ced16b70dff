#include "node/event_routes.h"

#include <utility>

#include "rest/problem.h"

namespace rp::node {

void add_event_route(rest::Router& router, std::string prefix, EventHandler serve) {
  router.prefix(
      std::move(prefix), {},
      [serve = std::move(serve)](const std::shared_ptr<rest::Exchange>& exchange) {
        auto address = rest::parse_event_address(exchange->request().path());
        if (!address) {
          exchange->respond(rest::to_response(rest::not_found(), exchange->request()));
          return;
        }
        serve(exchange, std::move(*address));
      },
      rest::Router::Body::streamed);
}

}  // namespace rp::node
