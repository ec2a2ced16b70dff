#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/error.h"
#include "rest/address.h"
#include "rest/refusal.h"
#include "rest/request.h"
#include "rest/response.h"

/// Errors that are not a handler's, as HTTP.
namespace rp::rest {

/// A refusal or failure before it takes its form on the wire.
struct Problem {
  int status = 500;
  std::string reason;      ///< "" for the usual phrase
  std::string code;        ///< stable word: name(Errc), or the front-end's own such as "bad_host"
  std::string detail;      ///< one sentence that names what was wrong and what is accepted
  std::string request_id;  ///< "" when none exists yet
  bool retryable = false;  ///< the same request may succeed later without a change
  std::optional<bool> may_have_run;     ///< only where the caller has to know
  std::optional<int> retry_after_s;     ///< becomes a Retry-After header
  std::vector<ResponseHeader> headers;  ///< further headers, such as WWW-Authenticate
  /// The body that plain clients get, with its content type ("" for none); nothing when they get
  /// the problem document as well.
  struct Plain {
    std::string content_type;
    std::string body;
  };
  std::optional<Plain> plain;
};

/// The one place where a failed call becomes an HTTP status. `side` is the one that was called; it
/// only chooses words.
Problem problem_for(const pipe::Failure& failure, EventAddress::Side side, std::string request_id);

/// What the gate refused.
Problem problem_for(const Refusal& refusal);

/// 500 for a fault of this program; `detail` goes to the client.
Problem internal_error(std::string detail);

/// 503: all request bodies in memory together have reached their limit.
Problem bodies_too_large();

/// "404 not found" for a path that no route serves: text/html, body `not found`.
Problem not_found();

/// 405; `allow` becomes the Allow header.
Response method_not_allowed(const Request& request, std::string_view allow);

/// The answer to `request`: an RFC 9457 document (application/problem+json), except for clients
/// whose Accept does not name JSON where the problem has a plain form.
Response to_response(const Problem& problem, const Request& request);
/// The same when there is no request to ask.
Response to_response(const Problem& problem);

}  // namespace rp::rest
