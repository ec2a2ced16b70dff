#include "rest/connection.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <sys/socket.h>
#include <utility>

#include "pipe/log.h"
#include "rest/text.h"

namespace rp::rest {
namespace {

// One connection's share of a round; a fast uploader then lets the others in.
constexpr std::size_t kRoundBytesMax = 256 * 1024;

// Answers queued for a pipelining client that does not read; then its next request waits.
constexpr std::size_t kQueuedAnswersMax = 64 * 1024;

// After the last answer the client may still send this much before the descriptor closes; closing
// at once could make the kernel drop the answer.
constexpr std::size_t kLingerBytesMax = 4 * 1024 * 1024;

std::optional<std::uint64_t> content_length_of(const ResponseHead& head) {
  for (const ResponseHeader& header : head.headers) {
    if (!equals_ignoring_case(header.name, "content-length")) continue;
    std::uint64_t length = 0;
    const char* const end = header.value.data() + header.value.size();
    const auto [stop, ec] = std::from_chars(header.value.data(), end, length);
    if (ec == std::errc() && stop == end && !header.value.empty()) return length;
  }
  return std::nullopt;
}

bool forbids_body(int status) { return status == 204 || status == 304; }

}  // namespace

Connection::Connection(TransportPort& port, int fd, std::uint64_t id, Arrival arrival)
    : port_(port),
      fd_(fd),
      id_(id),
      remote_(std::move(arrival.remote)),
      local_address_(std::move(arrival.local_address)),
      gate_(port.limits, port.streams_body),
      phase_since_(port.now) {}

Connection::~Connection() { release_body(); }

// ---------------------------------------------------------------------------------------- input

Connection::Reading Connection::on_input(std::string_view bytes) {
  port_.stats.bytes_received.fetch_add(bytes.size(), std::memory_order_relaxed);
  round_bytes_ += bytes.size();
  input_at_ = port_.now;
  if (phase_ != Phase::open) return drop(bytes);
  if (!has_pending()) work_on(bytes);
  if (phase_ != Phase::open) return Reading::go_on;
  if (!bytes.empty()) return keep_for_later(bytes);
  return round_bytes_ > kRoundBytesMax ? Reading::yield : Reading::go_on;
}

Connection::Reading Connection::keep_for_later(std::string_view bytes) {
  pending_ += bytes;
  if (pending_.size() - pending_at_ <= port_.limits.pipelined_bytes_max) return Reading::go_on;
  reading_paused_ = true;
  return Reading::pause;
}

Connection::Reading Connection::drop(std::string_view bytes) {
  dropped_bytes_ += bytes.size();
  if (dropped_bytes_ > kLingerBytesMax) close_now();
  return round_bytes_ > kRoundBytesMax ? Reading::yield : Reading::go_on;
}

void Connection::work_on(std::string_view& input) {
  while (phase_ == Phase::open && outbound_.size() <= kQueuedAnswersMax) {
    if (uploading_) {
      if (!work_on_upload(input)) return;
      continue;
    }
    if (busy()) return;
    const bool fresh = gate_.between_requests();
    const auto progress = gate_.feed(input);
    if (fresh) phase_since_ = port_.now;
    switch (progress) {
      case Gate::Progress::need_more:
        if (gate_.reading_body() && is_long_body()) {
          begin_upload();
          break;
        }
        if (gate_.reading_body()) account_body();
        return;
      case Gate::Progress::head:
        if (!on_head(input)) return;
        break;
      case Gate::Progress::complete:
        if (!on_complete()) return;
        break;
      case Gate::Progress::refused:
        port_.stats.requests_malformed.fetch_add(1, std::memory_order_relaxed);
        answer_problem(problem_for(gate_.refusal()), nullptr);
        return;
    }
  }
}

bool Connection::on_head(std::string_view rest) {
  phase_since_ = port_.now;
  page_lines_ = port_.guard.cors().lines_for(gate_.request());
  if (const auto problem = port_.guard.check(gate_.request(), local_address_)) {
    port_.stats.requests_refused.fetch_add(1, std::memory_order_relaxed);
    answer_problem(*problem, &gate_.request());
    return false;
  }
  if (gate_.framing().expects_continue && rest.empty()) {
    outbound_.tail() += kContinue;
    port_.flush_soon(*this);
  }
  return true;
}

bool Connection::account_body() {
  auto& total = port_.stats.body_bytes_buffered;
  const auto more = gate_.body_bytes() - body_accounted_;
  body_accounted_ += more;
  if (total.fetch_add(more, std::memory_order_relaxed) + more <= port_.limits.bodies_bytes_max)
    return true;
  answer_problem(bodies_too_large(), &gate_.request());
  return false;
}

void Connection::release_body() {
  if (body_accounted_ == 0) return;
  port_.stats.body_bytes_buffered.fetch_sub(std::exchange(body_accounted_, 0),
                                            std::memory_order_relaxed);
}

bool Connection::on_complete() {
  if (!account_body()) return false;
  set_request(gate_.take_request());
  dispatch();
  return true;
}

void Connection::set_request(Request request) {
  request_ = std::move(request);
  request_.remote_ = remote_;
  head_request_ = request_.method() == "HEAD";
  keep_alive_ = request_.keep_alive();
  minor_version_ = request_.minor_version();
  head_sent_ = false;
}

void Connection::dispatch() {
  port_.stats.requests.fetch_add(1, std::memory_order_relaxed);
  port_.stats.requests_in_flight.fetch_add(1, std::memory_order_relaxed);
  auto exchange = std::make_shared<Exchange>(std::move(request_), port_.mailbox, fd_, id_);
  if (uploading_) {
    const Framing& framing = gate_.framing();
    exchange->let_body_follow(framing.chunked ? std::nullopt
                                              : std::optional(framing.content_length));
  }
  exchange->set_received_at(phase_since_);
  current_ = exchange;
  current_raw_ = exchange.get();
  if (auto answer = port_.guard.cors().preflight_answer(exchange->request()))
    return exchange->respond(std::move(*answer));
  try {
    port_.handler(exchange);
    return;
  } catch (const std::exception& error) {
    log(LogLevel::error, "rest", "the request handler threw", {{"error", error.what()}});
  } catch (...) {
    log(LogLevel::error, "rest", "the request handler threw something that is no exception");
  }
  exchange->respond(to_response(internal_error("the node failed to handle the request")));
}

void Connection::work_on_pending() {
  if (phase_ != Phase::open) return;
  if (has_pending()) {
    std::string_view input = std::string_view(pending_).substr(pending_at_);
    work_on(input);
    if (phase_ != Phase::open) return;  // finish() has dropped what `input` points into
    pending_at_ = pending_.size() - input.size();
    if (pending_at_ > pending_.size() / 2) pending_.erase(0, std::exchange(pending_at_, 0));
  }
  if (input_ended_ && !busy()) return finish();
  if (input_ended_ && uploading_ && !has_pending()) return close_now();
  if (reading_paused_ && pending_.size() - pending_at_ <= port_.limits.pipelined_bytes_max) {
    reading_paused_ = false;
    port_.read_soon(*this);
  }
}

// Who half-closes does so once the request is sent. A FIN that comes later is from one who waited
// and has left; what such a client waits for must not be sent into the void in the meantime.
bool Connection::fin_is_late() const {
  return busy() && !has_pending() && !reading_paused_ && !local_address_.empty() &&
         port_.now - input_at_ >= port_.limits.half_close_grace;
}

bool Connection::on_end_of_input(bool fully) {
  if (phase_ == Phase::lingering || phase_ == Phase::closing || fully) return false;
  if (!busy() && outbound_.empty()) return false;
  if (uploading_ && reading_paused_) return true;  // what is in the socket is yet to be read
  if (uploading_ && !has_pending()) return false;  // the rest of the body will not come
  if (fin_is_late()) return false;
  if (!std::exchange(input_ended_, true)) {
    input_ended_at_ = port_.now;
    // A Unix socket tells a client that is gone from one that half-closed; only TCP needs a guess.
    if (busy() && !local_address_.empty()) port_.sweep_after_grace(*this);
  }
  return true;
}

// --------------------------------------------------------------------------------------- output

void Connection::deliver(Exchange& exchange) {
  auto outbox = exchange.take_outbox();
  if (phase_ != Phase::open) return;
  if (outbox.response) return write_response(std::move(*outbox.response));
  if (outbox.head) begin_stream(*outbox.head);
  if (!outbox.pieces.empty()) write_pieces(exchange, std::move(outbox.pieces));
  if (phase_ != Phase::open || !busy()) return;
  if (outbox.ended) {
    end_stream(exchange);
  } else if (outbox.aborted) {
    break_off();
  } else if (uploading_) {
    work_on_pending();  // its handler has room for more of the body
  }
}

void Connection::on_orphan() {
  if (!busy() || !current_.expired() || phase_ != Phase::open) return;
  log(LogLevel::error, "rest", "a request was dropped without an answer");
  break_off();
}

/// False when the answer in progress is the connection's last, whatever the client wishes.
bool Connection::may_go_on() const {
  return !port_.draining && !uploading_ && (!input_ended_ || has_pending());
}

void Connection::write_response(Response response) {
  if (response.head.timing) rest::finish(*response.head.timing, pipe::Clock::now());
  keep_alive_ = keep_alive_ && may_go_on();
  Framed framed{BodyForm::counted, response.body.size(), keep_alive_, minor_version_, page_lines_};
  if (forbids_body(response.head.status)) framed.form = BodyForm::none;
  append_head(outbound_.tail(), response.head, framed, port_.date);
  if (!head_request_ && framed.form == BodyForm::counted)
    outbound_.append(std::move(response.body));
  count_response(response.head.status);
  finish_answer();
}

void Connection::begin_stream(ResponseHead& head) {
  if (head.timing) rest::finish(*head.timing, pipe::Clock::now());
  const auto length = content_length_of(head);
  if (forbids_body(head.status)) {
    form_ = BodyForm::none;
  } else if (length) {
    form_ = BodyForm::counted;
    counted_left_ = *length;
  } else if (minor_version_ == 0 || head_request_) {
    form_ = BodyForm::until_close;
  } else {
    form_ = BodyForm::chunked;
  }
  const bool ends_by_close = form_ == BodyForm::until_close && !head_request_;
  keep_alive_ = keep_alive_ && may_go_on() && !ends_by_close;
  append_head(outbound_.tail(), head,
              {form_, length.value_or(0), keep_alive_, minor_version_, page_lines_}, port_.date);
  head_sent_ = true;
  count_response(head.status);
  port_.flush_soon(*this);
}

void Connection::write_pieces(Exchange& exchange, std::string pieces) {
  const auto bytes = pieces.size();
  if (head_request_ || form_ == BodyForm::none) return exchange.notify_flushed(bytes);
  if (form_ == BodyForm::counted) {
    if (bytes > counted_left_) return break_off();
    counted_left_ -= bytes;
  }
  if (form_ == BodyForm::chunked) append_chunk_size(outbound_.tail(), bytes);
  outbound_.append(std::move(pieces));
  if (form_ == BodyForm::chunked) outbound_.tail() += "\r\n";
  marks_.push_back({outbound_.queued(), bytes, false, exchange.weak_from_this()});
  port_.flush_soon(*this);
}

void Connection::end_stream(Exchange& exchange) {
  const bool has_body = !head_request_ && form_ != BodyForm::none;
  if (has_body && form_ == BodyForm::counted && counted_left_ > 0) return break_off();
  if (has_body && form_ == BodyForm::chunked) outbound_.tail() += kLastChunk;
  marks_.push_back({outbound_.queued(), 0, true, exchange.weak_from_this()});
  finish_answer();
}

void Connection::break_off() {
  if (!head_sent_) {
    write_response(to_response(internal_error("the answer was broken off before it began")));
    return;
  }
  // What ends by close would look complete after an orderly close.
  reset_on_close_ = form_ == BodyForm::until_close;
  if (reset_on_close_) return close_now();
  keep_alive_ = false;
  if (const auto exchange = current_.lock()) exchange->notify_disconnect();
  finish_answer();
}

void Connection::finish_answer() {
  current_raw_ = nullptr;
  if (const auto exchange = current_.lock()) {
    if (uploading_) exchange->forget_body();
    if (marks_.empty()) exchange->forget_callbacks();
  }
  current_.reset();
  page_lines_.clear();
  port_.stats.requests_in_flight.fetch_sub(1, std::memory_order_relaxed);
  release_body();
  phase_since_ = port_.now;
  if (std::exchange(uploading_, false)) keep_alive_ = false;  // nobody wants the rest of the body
  if (!keep_alive_) return finish();
  port_.flush_soon(*this);
  work_on_pending();
}

void Connection::answer_problem(const Problem& problem, const Request* request) {
  keep_alive_ = false;
  head_request_ = request != nullptr && request->method() == "HEAD";
  answer_and_finish(request != nullptr ? to_response(problem, *request) : to_response(problem));
}

void Connection::answer_and_finish(const Response& response) {
  append_head(outbound_.tail(), response.head,
              {BodyForm::counted, response.body.size(), false, minor_version_, page_lines_},
              port_.date);
  if (!head_request_) outbound_.append(response.body);
  count_response(response.head.status);
  release_body();
  finish();
}

/// No further request is served; what is queued still goes out.
void Connection::finish() {
  if (phase_ != Phase::open) return;
  phase_ = Phase::finishing;
  phase_since_ = port_.now;
  pending_.clear();
  pending_at_ = 0;
  port_.flush_soon(*this);
  if (std::exchange(reading_paused_, false)) port_.read_soon(*this);
}

void Connection::flush() {
  if (phase_ == Phase::closing) return;
  if (uploading_) {
    if (const auto exchange = current_.lock()) hand_over_body(*exchange);
  }
  const auto before = outbound_.sent();
  const auto outcome = outbound_.flush(fd_);
  const bool progress = outbound_.sent() != before;
  if (progress) {
    port_.stats.bytes_sent.fetch_add(outbound_.sent() - before, std::memory_order_relaxed);
    report_flushed();
  }
  switch (outcome) {
    case Outbound::Outcome::failed:
      return close_now();
    case Outbound::Outcome::blocked:
      if (progress || !stalled_since_) stalled_since_ = port_.now;
      if (!std::exchange(writable_watched_, true)) port_.watch_writable(*this);
      return;
    case Outbound::Outcome::drained:
      stalled_since_.reset();
      if (phase_ == Phase::finishing) return linger();
      if (!busy()) work_on_pending();
      return;
  }
}

void Connection::on_writable() { flush(); }

void Connection::report_flushed() {
  while (!marks_.empty() && marks_.front().at <= outbound_.sent()) {
    const FlushMark mark = std::move(marks_.front());
    marks_.pop_front();
    const auto exchange = mark.exchange.lock();
    if (!exchange) continue;
    if (mark.bytes > 0) exchange->notify_flushed(mark.bytes);
    if (mark.last) exchange->forget_callbacks();
  }
}

void Connection::linger() {
  if (input_ended_) return close_now();
  phase_ = Phase::lingering;
  phase_since_ = port_.now;
  ::shutdown(fd_, SHUT_WR);
}

void Connection::close_now() {
  if (std::exchange(phase_, Phase::closing) == Phase::closing) return;
  if (reset_on_close_) {
    const struct linger reset { 1, 0 };
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  port_.close_soon(*this);
}

void Connection::on_closed() {
  phase_ = Phase::closing;
  if (busy()) {
    port_.stats.clients_left.fetch_add(1, std::memory_order_relaxed);
    port_.stats.requests_in_flight.fetch_sub(1, std::memory_order_relaxed);
    current_raw_ = nullptr;
  }
  if (const auto exchange = current_.lock()) exchange->notify_disconnect();
  for (const FlushMark& mark : marks_) {
    if (const auto exchange = mark.exchange.lock()) exchange->notify_disconnect();
  }
  marks_.clear();
}

void Connection::count_response(int status) {
  const auto group = static_cast<std::size_t>(std::clamp(status / 100, 0, 5));
  port_.stats.responses.at(group).fetch_add(1, std::memory_order_relaxed);
}

}  // namespace rp::rest
