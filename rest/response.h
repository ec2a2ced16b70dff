#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rest/timing.h"

namespace rp::rest {

struct ResponseHeader {
  std::string name;
  std::string value;
};

/// Status and headers of an answer. Date, Connection, Content-Length, Transfer-Encoding and
/// X-Content-Type-Options belong to the writer: a header of such a name given here is dropped, and
/// so is any whose name is no token or whose value holds a control byte other than TAB.
struct ResponseHead {
  int status = 200;
  std::string reason;        ///< "" for the usual phrase of that status
  std::string content_type;  ///< "" for no Content-Type header
  std::vector<ResponseHeader> headers;
  std::optional<Timing> timing = std::nullopt;  ///< of an event's answer, for Server-Timing
};

/// A complete answer. For HEAD, 204 and 304 the writer leaves the body out by itself.
struct Response {
  ResponseHead head;
  std::string body;
};

/// The usual phrase of a status, for example "Not Found"; "Unknown" when there is none.
std::string_view reason_phrase(int status);

}  // namespace rp::rest
