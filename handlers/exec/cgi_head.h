#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "pipe/event.h"

namespace rp::handlers {

/// The longest block of headers that an executable may begin with.
constexpr std::size_t kCgiHeadBytesMax = std::size_t{16} * 1024;

/// The block of headers at the beginning of a CGI script's output (RFC 3875, section 6).
struct CgiHead {
  enum class State { incomplete, complete, malformed };

  State state = State::incomplete;
  std::size_t bytes = 0;      ///< complete: how much of the output it was, the empty line included
  pipe::ReplyHead head;       ///< complete: content type, headers and status
  std::string what_is_wrong;  ///< malformed: names the line
};

/// Reads lines "Name: value", ended by LF or CRLF, up to the empty one. `Status: 404 Not Found` and
/// `Content-Type` are taken out of the headers; a Location without a status is 302.
CgiHead read_cgi_head(std::string_view output);

}  // namespace rp::handlers
