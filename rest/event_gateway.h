#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "pipe/event.h"
#include "rest/address.h"
#include "rest/exchange.h"

namespace rp::rest {

struct GatewayOptions {
  /// Lower-case names of request headers that the handler sees. Proxy-Authorization is never
  /// forwarded, whatever this says: it belongs to this hop. Cookie and Authorization go to every
  /// handler of every node that is called, so they are for those who publish applications.
  std::vector<std::string> forwarded_headers = {"accept",
                                                "accept-language",
                                                "idempotency-key",
                                                "if-match",
                                                "if-none-match",
                                                "if-modified-since",
                                                "if-unmodified-since",
                                                "if-range",
                                                "last-event-id",
                                                "range",
                                                "traceparent",
                                                "tracestate",
                                                "x-forwarded-for",
                                                "x-forwarded-proto"};
  /// Authorization carries this node's own token, and is never forwarded either.
  bool own_authorization = false;

  /// How long a call may take when the request has no Request-Timeout header; 0 for no limit.
  std::chrono::milliseconds call_timeout{0};
  /// How long a call takes that gets a line in the log; 0 for none.
  std::chrono::milliseconds slow_call{1000};
  /// Upper bound of what a Request-Timeout header may ask for.
  std::chrono::milliseconds call_timeout_max{std::chrono::hours{24}};
};

/// Turns an exchange into an event, submits it, and the reply into an HTTP answer:
/// with X-Event-Return-Code and status 200 when a reply arrives, unless it stands for an HTTP
/// response and brings a status of its own; a problem document when the call fails.
///
/// GET, HEAD (as get; the call is cancelled once its head is here), POST, PUT, DELETE and PATCH are
/// events; any other method is answered 405. A sane X-Request-Id of the caller is kept, else one is
/// made; each answer carries it. `Request-Timeout: SECONDS` (decimal, fractions allowed) sets the
/// deadline. A client that leaves cancels the call; bytes flushed to it are reported as consumed.
class EventGateway {
 public:
  explicit EventGateway(GatewayOptions options);

  /// `target` must live until submit() has returned. From any thread.
  void serve(const std::shared_ptr<Exchange>& exchange, EventAddress address,
             pipe::EventTarget& target) const;

 private:
  static void describe_request(const Request& request, pipe::Event& event);
  void forward_headers(const Request& request, pipe::Headers& headers) const;

  GatewayOptions options_;
};

/// A request id: 26 characters [0-9a-v], random, unique for all practical purposes.
std::string make_request_id();

/// The request's own X-Request-Id when it is 1 to 128 characters of [A-Za-z0-9._:-], else a new id.
std::string request_id_of(const Request& request);

}  // namespace rp::rest
