#pragma once

#include <string>
#include <string_view>

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>

#include "pipe/event.h"

/// What an event says as the head of an HTTP request, and the head of an HTTP response as that of a
/// reply. Only what is written here reaches the other side: no header of one hop, no framing.
namespace rp::handlers {

struct ProxiedRequest {
  const pipe::Event& event;
  const pipe::Origin& origin;
  std::string_view path;       ///< below the mount, percent-encoded; "" or begins with '/'
  std::string_view authority;  ///< for Host
  std::size_t body_bytes = 0;  ///< of a body that does not follow
};

/// How the request's body is delimited.
enum class RequestBody { none, counted, chunked };
RequestBody body_form(const ProxiedRequest& request);

/// Request line and headers, ready to be sent.
std::string request_head(const ProxiedRequest& request);

/// The reply's head, without its length; in `what_is_wrong` why it cannot be passed on, if so.
pipe::ReplyHead reply_head(const boost::beast::http::response_header<>& response,
                           std::string& what_is_wrong);

/// A Location that leads back into the application, "/login" or "http://AUTHORITY/login", as a
/// reference relative to the address that the browser has, whatever stands in front of the mount.
/// Others stay as they are. `mount` and `path` are those of the request.
std::string relative_location(std::string_view location, std::string_view authority,
                              std::string_view mount, std::string_view path);

}  // namespace rp::handlers
