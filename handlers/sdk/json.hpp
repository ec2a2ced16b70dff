#pragma once

// Boost.JSON without its library: the plugin then depends on Boost's headers only. Include this
// header in one source file of a plugin; where several need it, or the plugin links Boost.JSON,
// define RESTPIPE_LINKS_BOOST_JSON in those that shall not compile it.
#ifdef RESTPIPE_LINKS_BOOST_JSON
#include <boost/json.hpp>
#else
#include <boost/json/src.hpp>
#endif

#include <restpipe/sdk/call.hpp>

namespace rp {

/// The decoded body. Throws ValueError when the request is not JSON (Request::is_json()).
inline boost::json::value json_body(const Request& request) {
  if (!request.is_json()) throw ValueError("the request body is not application/json");
  boost::json::parse_options options;
  options.max_depth = 64;  // what the node has let through
  return boost::json::parse(boost::json::string_view(request.body().data(), request.body().size()),
                            {}, options);
}

}  // namespace rp
