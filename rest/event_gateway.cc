#include "rest/event_gateway.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <string_view>
#include <utility>

#include "pipe/log.h"
#include "rest/deadline.h"
#include "rest/problem.h"
#include "rest/text.h"

namespace rp::rest {
namespace {

constexpr std::string_view kAllow = "GET, HEAD, POST, PUT, DELETE, PATCH";
constexpr std::size_t kRequestIdMax = 128;
constexpr std::size_t kEncodedNounMax = 8192;  // of a header value on the wire

/// The event's verb, or "" for a method that is no event.
std::string_view verb_of(std::string_view method) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kVerbs = {{
      {"GET", "get"},
      {"POST", "post"},
      {"PUT", "put"},
      {"DELETE", "delete"},
      {"PATCH", "patch"},
      {"HEAD", "get"},
  }};
  for (const auto& [http, verb] : kVerbs) {
    if (http == method) return verb;
  }
  return "";
}

/// Headers that concern this hop or that the gateway writes itself.
bool handler_may_set(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kOurs = {"connection",
                                                             "content-length",
                                                             "content-type",
                                                             "date",
                                                             "keep-alive",
                                                             "proxy-authenticate",
                                                             "proxy-authorization",
                                                             "te",
                                                             "trailer",
                                                             "transfer-encoding",
                                                             "upgrade",
                                                             "x-event-return-code"};
  const auto same = [&](std::string_view ours) { return equals_ignoring_case(ours, name); };
  // Which web pages may read an answer is this node's decision, not a remote handler's.
  constexpr std::string_view kCors = "access-control-";
  return std::none_of(kOurs.begin(), kOurs.end(), same) && !same("x-request-id") &&
         !equals_ignoring_case(name.substr(0, kCors.size()), kCors);
}

bool has_encoded_slash(std::string_view path) {
  for (auto at = path.find("%2"); at != std::string_view::npos; at = path.find("%2", at + 1)) {
    if (at + 2 < path.size() && to_lower(path[at + 2]) == 'f') return true;
  }
  return false;
}

bool never_forwarded(std::string_view lower_case_name, bool own_authorization) {
  return lower_case_name == "proxy-authorization" ||
         (own_authorization && lower_case_name == "authorization");
}

/// Writes one call's answer into its exchange.
class HttpReply final : public pipe::ReplySink {
 public:
  HttpReply(std::shared_ptr<Exchange> exchange, EventAddress::Side side, std::string request_id,
            const GatewayOptions& options, std::string method)
      : exchange_(std::move(exchange)),
        side_(side),
        request_id_(std::move(request_id)),
        slow_call_(options.slow_call),
        method_(std::move(method)),
        submitted_at_(pipe::Clock::now()) {}

  void reply(pipe::ReplyHead&& head, std::string&& body) override {
    if (!is_header_value(head.content_type)) return refuse_content_type();
    exchange_->respond({http_head(head), std::move(body)});
  }

  void begin(pipe::ReplyHead&& head) override {
    if (!is_header_value(head.content_type)) return refuse_content_type();
    auto http = http_head(head);
    if (head.body_bytes)
      http.headers.push_back({"Content-Length", std::to_string(*head.body_bytes)});
    for (auto& header : head.headers) {  // the length of a stream is the handler's to know
      if (equals_ignoring_case(header.name, "content-length"))
        http.headers.push_back({std::move(header.name), std::move(header.value)});
    }
    begun_ = true;
    exchange_->begin(std::move(http));
    if (exchange_->request().method() == "HEAD") leave_body();
  }

  void data(std::string piece) override { exchange_->write(std::move(piece)); }

  void end() override { exchange_->end(); }

  void body_consumed(std::size_t bytes) override { exchange_->body_consumed(bytes); }

  void fail(pipe::Failure failure) override {
    const auto problem = problem_for(failure, side_, request_id_);
    log(LogLevel::info, "rest", "a call failed",
        {{"request_id", request_id_}, {"code", problem.code}, {"detail", problem.detail}});
    if (begun_) return exchange_->abort();
    exchange_->respond(to_response(problem, exchange_->request()));
  }

  /// The call that this is the sink of; the answer may have begun before.
  void set_control(const std::shared_ptr<pipe::CallControl>& control) {
    {
      const std::lock_guard lock(mutex_);
      control_ = control;
      if (!body_unwanted_) return;
    }
    control->cancel();
  }

 private:
  ResponseHead http_head(pipe::ReplyHead& head) const {
    ResponseHead http;
    http.timing = timing_of(head);
    if (head.http_status != 0) http.status = head.http_status;
    http.content_type = std::move(head.content_type);
    http.headers.reserve(2 + head.headers.size());
    http.headers.push_back({"X-Event-Return-Code", std::to_string(head.code)});
    http.headers.push_back({"X-Request-Id", request_id_});
    for (auto& header : head.headers) {
      if (header.name == pipe::kReasonHeader) {
        if (head.http_status != 0) http.reason = std::move(header.value);
      } else if (handler_may_set(header.name))
        http.headers.push_back({header.name, header.value});
    }
    if (http.content_type.starts_with("text/event-stream")) let_events_pass(http);
    return http;
  }

  /// A proxy or cache in between must not hold events back, unless their handler knows better.
  static void let_events_pass(ResponseHead& http) {
    const ResponseHeader defaults[] = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
    for (const ResponseHeader& header : defaults) {
      const bool given = std::any_of(
          http.headers.begin(), http.headers.end(),
          [&](const ResponseHeader& h) { return equals_ignoring_case(h.name, header.name); });
      if (!given) http.headers.push_back(header);
    }
  }

  Timing timing_of(const pipe::ReplyHead& head) const {
    Timing timing;
    timing.answered_at = pipe::Clock::now();
    timing.gate = submitted_at_ - exchange_->received_at();
    timing.queue = head.queued;
    timing.handler = head.handled;
    timing.wire = std::max<Timing::Duration>(
        timing.answered_at - submitted_at_ - head.queued - head.handled, {});
    timing.slow = slow_call_;
    if (slow_call_ > slow_call_.zero() && timing.total() >= slow_call_) {
      timing.request_id = request_id_;
      timing.method = method_;
    }
    return timing;
  }

  /// The head was all that was asked for; the handler need not make the rest.
  void leave_body() {
    std::shared_ptr<pipe::CallControl> control;
    {
      const std::lock_guard lock(mutex_);
      body_unwanted_ = true;
      control = control_.lock();
    }
    exchange_->end();
    if (control) control->cancel();
  }

  void refuse_content_type() {
    Problem problem;
    problem.status = 500;
    problem.code = "bad_content_type";
    problem.detail = "the handler answered with a content type that holds a control byte";
    problem.request_id = request_id_;
    problem.may_have_run = true;
    exchange_->respond(to_response(problem, exchange_->request()));
  }

  const std::shared_ptr<Exchange> exchange_;
  const EventAddress::Side side_;
  const std::string request_id_;
  const std::chrono::milliseconds slow_call_;
  const std::string method_;  // for the line about a slow call
  const pipe::Clock::time_point submitted_at_;
  bool begun_ = false;

  std::mutex mutex_;                          // guards the two below
  std::weak_ptr<pipe::CallControl> control_;  // weak, because the call owns this sink
  bool body_unwanted_ = false;
};

}  // namespace

std::string make_request_id() {
  thread_local std::mt19937_64 generator{[] {
    std::random_device device;
    return (std::uint64_t{device()} << 32U) ^ device();
  }()};
  static constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
  std::string id(26, '0');
  std::uint64_t bits = generator();
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i == 12 || i == 24) bits = generator();  // 12 digits use 60 of 64 bits
    id[i] = kDigits[bits & 31U];
    bits >>= 5U;
  }
  return id;
}

std::string request_id_of(const Request& request) {
  const auto given = request.header("x-request-id");
  const auto sane = [](char c) {
    return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '.' ||
           c == '_' || c == ':' || c == '-';
  };
  if (given && !given->empty() && given->size() <= kRequestIdMax &&
      std::all_of(given->begin(), given->end(), sane))
    return std::string(*given);
  return make_request_id();
}

EventGateway::EventGateway(GatewayOptions options) : options_(std::move(options)) {}

void EventGateway::serve(const std::shared_ptr<Exchange>& exchange, EventAddress address,
                         pipe::EventTarget& target) const {
  const Request& request = exchange->request();
  const auto verb = verb_of(request.method());
  if (verb.empty()) return exchange->respond(method_not_allowed(request, kAllow));

  auto deadline = deadline_of(request, options_.call_timeout, options_.call_timeout_max);
  if (const auto* problem = std::get_if<Problem>(&deadline))
    return exchange->respond(to_response(*problem, request));

  pipe::Event event;
  event.verb = verb;
  event.noun = std::move(address.noun);
  event.query = request.query();
  event.request_id = request_id_of(request);
  if (const auto type = request.header("content-type"))
    event.content_type = type->substr(0, type->find(';'));
  event.deadline = std::get<pipe::Clock::time_point>(deadline);
  describe_request(request, event);
  forward_headers(request, event.headers);

  std::string method = options_.slow_call > options_.slow_call.zero()
                           ? event.verb + " " + event.noun.substr(0, event.noun.find("//"))
                           : std::string();
  auto sink = std::make_shared<HttpReply>(exchange, address.side, event.request_id, options_,
                                          std::move(method));
  pipe::Origin origin{"", request.remote().address, request.remote().port};
  event.body_follows = exchange->body_follows();
  event.body_bytes = exchange->body_bytes();
  auto body = exchange->take_body();
  const auto control = target.submit(std::move(event), std::move(body), std::move(origin), sink);
  sink->set_control(control);
  if (exchange->body_follows()) {
    exchange->on_body([control](std::string piece) { control->body_data(std::move(piece)); },
                      [control] { control->body_end(); });
  }
  exchange->on_flushed([control](std::size_t bytes) { control->consumed(bytes); });
  exchange->on_disconnect([control] { control->cancel(); });
}

void EventGateway::describe_request(const Request& request, pipe::Event& event) {
  if (request.method() == "HEAD") {
    event.headers.push_back({std::string(pipe::kMethodHeader), "HEAD"});
  }
  const auto encoded = request.encoded_path();
  if (!has_encoded_slash(encoded)) return;
  // What stands before the noun is ASCII: "/server/", or "/client/" and a host.
  const auto noun = behind_decoded(encoded, request.path().size() - event.noun.size());
  if (!has_encoded_slash(noun) || noun.size() > kEncodedNounMax) return;
  event.headers.push_back({std::string(pipe::kEncodedNounHeader), std::string(noun)});
}

void EventGateway::forward_headers(const Request& request, pipe::Headers& headers) const {
  // The event's own content type has no parameters; who needs a boundary or a charset finds it
  // here.
  const auto type = request.header("content-type");
  if (type && type->find(';') != std::string_view::npos) {
    headers.push_back({"content-type", std::string(*type)});
  }
  const auto& wanted = options_.forwarded_headers;
  for (std::size_t i = 0; i < request.header_count(); ++i) {
    const auto name = request.header_name(i);
    if (never_forwarded(name, options_.own_authorization) || name == "content-type" ||
        std::find(wanted.begin(), wanted.end(), name) == wanted.end())
      continue;
    headers.push_back({std::string(name), std::string(request.header_value(i))});
  }
}

}  // namespace rp::rest
