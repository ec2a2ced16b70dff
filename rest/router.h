#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rest/exchange.h"

namespace rp::rest {

/// Takes one exchange; called on an I/O thread, so it must not block. Throwing is a bug and
/// becomes a 500.
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

/// Decoded path to handler: an exact path wins, then the longest prefix. A path without a route is
/// answered 404 `not found`; a method that the route does not take 405 with Allow. Built before the
/// server starts and constant from then on.
class Router {
 public:
  /// How the handlers of a prefix take request bodies.
  enum class Body : std::uint8_t {
    whole,     ///< complete before the handler is called, and bounded
    streamed,  ///< a long one follows, see Exchange::on_body()
  };

  /// `methods` in upper case; GET brings HEAD along. Empty: the handler takes any method and
  /// refuses by itself.
  void exact(std::string path, std::vector<std::string> methods, Handler handler);
  /// Serves `path`, which ends in '/', and everything below it.
  void prefix(std::string path, std::vector<std::string> methods, Handler handler,
              Body body = Body::whole);

  /// Whether the request's route takes a body that follows.
  bool streams_body(const Request& request) const;

  void operator()(const std::shared_ptr<Exchange>& exchange) const;

 private:
  struct Route {
    std::string path;
    std::vector<std::string> methods;
    std::string allow;
    Handler handler;
    Body body = Body::whole;
  };
  const Route* find(std::string_view path) const;

  std::vector<Route> exact_;
  std::vector<Route> prefixes_;  ///< longest first
};

}  // namespace rp::rest
