#include "rest/problem.h"

#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "rest/text.h"

namespace rp::rest {
namespace {

using pipe::Errc;
using Side = EventAddress::Side;

constexpr int kRetryAfterSeconds = 1;  // the pipe is back within 2 s of the network (figure G7)

struct Mapping {
  int status;
  bool retryable;
  std::optional<bool> may_have_run;
};

/// The status of each reason why a call failed.
Mapping mapping_of(Errc code) {
  switch (code) {
    case Errc::unknown_peer:
      return {404, false, false};
    case Errc::ambiguous_peer:
      return {409, false, false};
    case Errc::forbidden:
      return {403, false, false};
    case Errc::key_in_use:
      return {409, true, true};
    case Errc::key_reused:
      return {422, false, false};
    case Errc::body_too_large:
    case Errc::frame_too_large:
      return {413, false, false};
    case Errc::cancelled:
      return {499, false, true};
    case Errc::resolve_failed:
      return {500, true, false};
    case Errc::peer_unavailable:
    case Errc::not_sent:
    case Errc::overloaded:
    case Errc::draining:
    case Errc::stopped:
    case Errc::handshake_timeout:
      return {503, true, false};
    case Errc::deadline_exceeded:
      return {504, false, true};
    case Errc::handler_unavailable:
      return {502, true, false};
    case Errc::session_lost:
    case Errc::link_lost:
    case Errc::heartbeat_missed:
    case Errc::replaced:
    case Errc::revoked:
    case Errc::handler_failed:
    case Errc::handler_crashed:
    case Errc::unknown_frame_type:
    case Errc::malformed_frame:
    case Errc::protocol_violation:
    case Errc::version_mismatch:
    case Errc::bad_identity:
      return {502, false, true};
  }
  return {500, false, true};
}

/// Reason phrases and bodies that callers of the reference program may rely on.
void add_parity_form(Problem& problem, Errc code, Side side) {
  if (code == Errc::unknown_peer && side == Side::server) {
    // The server that was asked to pass a call on knows no such client: no such path.
    problem.plain = Problem::Plain{"text/html", "not found"};
  } else if (code == Errc::unknown_peer) {
    problem.reason = "Hostname not resolvable";
    problem.plain = Problem::Plain{"", ""};
  } else if (code == Errc::resolve_failed) {
    problem.reason = "Hostname resolution error";
    problem.plain = Problem::Plain{"", ""};
  } else if (code == Errc::peer_unavailable) {
    const bool client = side == Side::client;
    problem.reason = client ? "Client connection unavailable" : "Server connection unavailable";
    if (client) problem.plain = Problem::Plain{"", ""};
  }
}

/// True for a media range with a weight of zero: "text/html; q=0", "*/*;q=0.0".
bool is_refused(std::string_view media_range) {
  for (auto at = media_range.find(';'); at != std::string_view::npos;
       at = media_range.find(';', at + 1)) {
    const auto parameter =
        trimmed(media_range.substr(at + 1, media_range.find(';', at + 1) - at - 1));
    if (!equals_ignoring_case(parameter.substr(0, 2), "q=")) continue;
    return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
  }
  return false;
}

enum class JsonWish { named, taken, refused };

/// What an Accept header says about JSON: names it, takes it with everything else, or leaves it
/// out. Weights matter only where they are zero.
JsonWish json_wish(const Request& request) {
  JsonWish wish = JsonWish::refused;
  bool any = false;
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    if (request.header_name(i) != "accept") continue;
    auto list = request.header_value(i);
    while (!list.empty()) {
      const auto element = next_list_element(list);
      any = true;
      const auto type = trimmed(element.substr(0, element.find(';')));
      if (is_refused(element)) continue;
      if (equals_ignoring_case(type, "application/problem+json") ||
          equals_ignoring_case(type, "application/json") ||
          equals_ignoring_case(type, "application/*"))
        return JsonWish::named;
      if (type == "*/*") wish = JsonWish::taken;
    }
  }
  return any ? wish : JsonWish::taken;
}

ResponseHead head_of(const Problem& problem) {
  ResponseHead head;
  head.status = problem.status;
  head.reason = problem.reason;
  head.headers = problem.headers;
  if (problem.retry_after_s)
    head.headers.push_back({"Retry-After", std::to_string(*problem.retry_after_s)});
  if (!problem.request_id.empty()) head.headers.push_back({"X-Request-Id", problem.request_id});
  return head;
}

std::string document(const Problem& problem) {
  boost::json::object json;
  json["type"] = "about:blank";
  json["title"] =
      problem.reason.empty() ? std::string(reason_phrase(problem.status)) : problem.reason;
  json["status"] = problem.status;
  json["detail"] = problem.detail;
  json["code"] = problem.code;
  json["retryable"] = problem.retryable;
  if (problem.may_have_run) json["may_have_run"] = *problem.may_have_run;
  if (!problem.request_id.empty()) json["request_id"] = problem.request_id;
  return boost::json::serialize(json) + "\n";
}

}  // namespace

Problem problem_for(const pipe::Failure& failure, Side side, std::string request_id) {
  const Mapping mapping = mapping_of(failure.code);
  Problem problem;
  problem.status = mapping.status;
  problem.code = name(failure.code);
  problem.detail =
      failure.detail.empty() ? make_error_code(failure.code).message() : failure.detail;
  problem.request_id = std::move(request_id);
  problem.retryable = mapping.retryable;
  problem.may_have_run = failure.has_not_run ? false : mapping.may_have_run;
  if (mapping.status == 503) problem.retry_after_s = kRetryAfterSeconds;
  add_parity_form(problem, failure.code, side);
  return problem;
}

Problem problem_for(const Refusal& refusal) {
  Problem problem;
  problem.status = refusal.status;
  problem.code = refusal.code;
  problem.detail = refusal.detail;
  problem.retryable = refusal.status == 408;
  return problem;
}

Problem internal_error(std::string detail) {
  Problem problem;
  problem.status = 500;
  problem.code = "internal_error";
  problem.detail = std::move(detail);
  return problem;
}

Problem bodies_too_large() {
  Problem problem;
  problem.status = 503;
  problem.code = name(Errc::overloaded);
  problem.detail = "the request bodies in memory have reached their limit; nothing ran";
  problem.retryable = true;
  problem.may_have_run = false;
  problem.retry_after_s = kRetryAfterSeconds;
  return problem;
}

Problem not_found() {
  Problem problem;
  problem.status = 404;
  problem.code = "not_found";
  problem.detail = "no route serves this path";
  problem.plain = Problem::Plain{"text/html", "not found"};
  return problem;
}

Response method_not_allowed(const Request& request, std::string_view allow) {
  Problem problem;
  problem.status = 405;
  problem.code = "method_not_allowed";
  problem.detail = "this path takes: ";
  problem.detail += allow;
  problem.headers.push_back({"Allow", std::string(allow)});
  problem.plain = Problem::Plain{"text/plain", problem.detail + "\n"};
  return to_response(problem, request);
}

Response to_response(const Problem& problem, const Request& request) {
  const JsonWish wish = json_wish(request);
  const bool json = wish == JsonWish::named || (wish == JsonWish::taken && !problem.plain);
  if (json) return to_response(problem);
  Response response{head_of(problem), ""};
  const auto plain = problem.plain.value_or(Problem::Plain{"text/plain", problem.detail + "\n"});
  response.head.content_type = plain.content_type;
  response.body = plain.body;
  return response;
}

Response to_response(const Problem& problem) {
  Response response{head_of(problem), document(problem)};
  response.head.content_type = "application/problem+json";
  return response;
}

}  // namespace rp::rest
