#include "pipe/core/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pipe/core/head.h"

namespace rp::pipe {
namespace {

// An acknowledgement leaves after this many bytes or this long, whichever comes first
// (docs/wire.md, "Acknowledgement").
constexpr std::size_t kAckBytes = 64 * 1024;
constexpr std::chrono::milliseconds kAckDelay{100};

}  // namespace

Session::Session(Options options, EventTarget& target, HomeThread& home, SessionOwner& owner,
                 Clock::time_point now)
    : options_(std::move(options)),
      owner_(owner),
      now_(now),
      incoming_({.limits = options_.limits,
                 .outbox = outbox_,
                 .window = window_,
                 .target = target,
                 .home = home,
                 .answered = [this] { owner_.session_woke(); }},
                options_.origin),
      greeting_until_(now + options_.hello_timeout),
      received_at_(now) {
  if (options_.side == Side::dialler) say_hello();
}

void Session::say_hello() {
  Hello hello;
  hello.node = options_.node;
  hello.software = options_.software;
  hello.calls_in_flight_max = options_.limits.calls_in_flight_max;
  hello.stream_window_bytes = options_.limits.stream_window_bytes;
  hello.session_window_bytes = options_.limits.session_window_bytes;
  hello.heartbeat_interval = options_.heartbeat.interval;
  outbox_.push_control(encode_hello(hello));
}

error_code Session::receive(std::string_view bytes, Clock::time_point now) {
  if (state_ == State::ended) return Errc::link_lost;
  now_ = now;
  received_at_ = now;
  bytes_received_ += bytes.size();
  unacknowledged_bytes_ += bytes.size();
  decoder_.push(bytes);
  while (auto frame = decoder_.next()) {
    if (!*frame) return fail(static_cast<Errc>(frame->error().value()));
    if (auto ec = on_frame(**frame)) return ec;
    if (state_ == State::ended) return Errc::link_lost;  // a sink ended us
  }
  if (outbox_.waiting_bytes() > 2 * options_.limits.outbound_bytes_max) {
    return fail(Errc::overloaded, "the peer does not read what it asks for");
  }
  if (received_frames_ == acknowledged_by_us_) unacknowledged_bytes_ = 0;
  if (received_frames_ > acknowledged_by_us_ && ack_at_ == Clock::time_point::max()) {
    ack_at_ = now + kAckDelay;
  }
  return {};
}

error_code Session::on_frame(const Frame& frame) {
  const FrameHeader& header = frame.header;
  if (options_.trace) owner_.session_traced(/*sent=*/false, header);
  if (state_ == State::greeting && header.type != static_cast<std::uint8_t>(FrameType::hello) &&
      header.type != static_cast<std::uint8_t>(FrameType::goodbye)) {
    return fail(Errc::protocol_violation, "the first frame must be HELLO");
  }
  if (is_reliable(header.type)) ++received_frames_;
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::call:
    case FrameType::reply:
    case FrameType::data:
    case FrameType::credit:
    case FrameType::cancel:
      return on_call_frame(frame);
    case FrameType::hello:
      return on_hello(frame.payload);
    case FrameType::ping:
      outbox_.push_control(encode_ping(FrameType::pong, frame.payload));
      return {};
    case FrameType::pong:
      on_pong(frame.payload);
      return {};
    case FrameType::ack:
      return on_ack(frame.payload);
    case FrameType::goodbye:
      return on_goodbye(frame.payload);
  }
  if ((header.flags & frame_flag::ignorable) != 0) return {};
  return fail(Errc::unknown_frame_type, "frame type " + std::to_string(header.type));
}

error_code Session::on_call_frame(const Frame& frame) {
  const bool ours = (frame.header.flags & frame_flag::yours) != 0;
  const CallId id = frame.header.call;
  switch (static_cast<FrameType>(frame.header.type)) {
    case FrameType::call:
      return judge(incoming_.on_call(frame, now_));
    case FrameType::reply:
      return judge(outgoing_.on_reply(frame));
    case FrameType::data:
      if (!window_.take(frame.payload.size())) {
        return fail(Errc::protocol_violation, "more body bytes than the session's credit");
      }
      return judge(ours ? outgoing_.on_data(frame) : incoming_.on_data(frame));
    case FrameType::credit: {
      const Result<std::uint32_t> bytes = decode_credit(frame.payload);
      if (!bytes) return fail(Errc::malformed_frame, "CREDIT does not parse");
      if (id == 0) {
        return outbox_.session_credit(*bytes)
                   ? error_code()
                   : fail(Errc::protocol_violation, "more session credit than the wire allows");
      }
      return judge(ours ? outgoing_.on_credit(id, *bytes) : incoming_.on_credit(id, *bytes));
    }
    default: {
      Result<Failure> reason = decode_cancel(frame.payload);
      if (!reason) return fail(Errc::malformed_frame, "CANCEL does not parse");
      return judge(ours ? outgoing_.on_cancel(id, std::move(*reason)) : incoming_.on_cancel(id));
    }
  }
}

error_code Session::judge(OutgoingCalls::Outcome outcome) {
  switch (outcome) {
    case OutgoingCalls::Outcome::ok:
      return {};
    case OutgoingCalls::Outcome::not_found:
      return on_stray();
    case OutgoingCalls::Outcome::malformed:
      return fail(Errc::malformed_frame, "a head does not parse or breaks a field rule");
    case OutgoingCalls::Outcome::violation:
      break;
  }
  return fail(Errc::protocol_violation, "a frame does not fit the state of its call");
}

error_code Session::on_stray() {
  ++stray_frames_;
  if (now_ >= stray_period_until_) {
    stray_period_until_ = now_ + Limits::kStrayPeriod;
    strays_in_period_ = 0;
  }
  if (++strays_in_period_ <= options_.limits.stray_frames_max) return {};
  return fail(Errc::protocol_violation, "too many frames for calls that are not open");
}

error_code Session::fail(Errc reason, std::string detail) {
  if (detail.empty()) detail = make_error_code(reason).message();
  end_detail_ = std::move(detail);
  outbox_.silence();
  outbox_.push_control(encode_goodbye({.reason = {reason, end_detail_}}));
  leaving_ = true;
  return reason;
}

error_code Session::on_hello(std::string_view payload) {
  if (state_ != State::greeting) return fail(Errc::protocol_violation, "a second HELLO");
  if (refusal_) return fail(refusal_->code, refusal_->detail);
  if (leaving_) return Errc::draining;  // we left before it said HELLO; our GOODBYE is out
  Result<Hello> hello = decode_hello(payload);
  if (!hello) return fail(Errc::malformed_frame, "HELLO does not parse or breaks a field rule");
  if (hello->version_min > kWireVersion || hello->version_max < kWireVersion) {
    return fail(Errc::version_mismatch,
                "this node speaks wire version " + std::to_string(kWireVersion));
  }
  if (hello->frame_bytes_max < Limits::kFrameBytesMax) {
    return fail(Errc::protocol_violation, "frame_bytes_max is below what version 1 requires");
  }
  peer_ = std::move(*hello);
  outgoing_.set_peer_limits({.calls_in_flight_max = peer_.calls_in_flight_max,
                             .stream_window_bytes = peer_.stream_window_bytes});
  incoming_.set_peer_stream_window(peer_.stream_window_bytes);
  outbox_.set_session_window(peer_.session_window_bytes);
  if (options_.side == Side::acceptor) say_hello();
  state_ = State::open;
  owner_.session_opened();
  return {};
}

error_code Session::on_ack(std::string_view payload) {
  const Result<std::uint64_t> count = decode_ack(payload);
  if (!count) return fail(Errc::malformed_frame, "ACK does not parse");
  if (*count < acknowledged_by_peer_ || *count > outbox_.reliable_frames()) {
    return fail(Errc::protocol_violation, "ACK names frames that were not sent");
  }
  acknowledged_by_peer_ = *count;
  return {};
}

error_code Session::on_goodbye(std::string_view payload) {
  Result<Goodbye> goodbye = decode_goodbye(payload);
  if (!goodbye) return fail(Errc::malformed_frame, "GOODBYE does not parse");
  peer_leaves_ = true;
  retry_after_ = goodbye->retry_after;
  if (!goodbye->drain || state_ == State::greeting) {
    end_detail_ = std::move(goodbye->reason.detail);
    return goodbye->reason.code;
  }
  owner_.session_draining(goodbye->reason);
  return {};
}

void Session::on_pong(std::string_view payload) {
  std::uint64_t number = 0;
  static_assert(sizeof number == kPingBytes);
  std::memcpy(&number, payload.data(), sizeof number);
  if (!pong_awaited_ || number != pings_) return;
  pong_awaited_ = false;
  round_trip_ = std::chrono::duration_cast<std::chrono::microseconds>(now_ - pinged_at_);
  owner_.session_ponged(now_ - pinged_at_);
}

void Session::ping() {
  ++pings_;
  char payload[sizeof pings_];
  std::memcpy(payload, &pings_, sizeof pings_);
  outbox_.push_control(encode_ping(FrameType::ping, {payload, sizeof payload}));
  pinged_at_ = now_;
  pong_awaited_ = true;
  owner_.session_pinged();
}

Clock::time_point Session::ping_at() const {
  // The acceptor waits half an interval longer, so that on a healthy pipe one side's heartbeats
  // serve both.
  const auto interval = options_.side == Side::dialler ? options_.heartbeat.interval
                                                       : options_.heartbeat.interval * 3 / 2;
  const auto silent_since = std::max(received_at_, pinged_at_);
  return silent_since + interval;
}

Clock::time_point Session::dead_at() const {
  return received_at_ + options_.heartbeat.interval + options_.heartbeat.timeout;
}

void Session::produce(std::string& out, std::size_t bytes_max, Clock::time_point now) {
  const bool ack_due = unacknowledged_bytes_ >= kAckBytes || now >= ack_at_;
  if (ack_due && received_frames_ > acknowledged_by_us_ && !outbox_.silent()) {
    outbox_.push_control(encode_ack(received_frames_));
    acknowledged_by_us_ = received_frames_;
    unacknowledged_bytes_ = 0;
    ack_at_ = Clock::time_point::max();
  }
  const std::size_t before = out.size();
  outbox_.produce(out, bytes_max);
  bytes_sent_ += out.size() - before;
  if (options_.trace) trace_sent(std::string_view(out).substr(before));
}

void Session::trace_sent(std::string_view frames) {
  while (!frames.empty()) {
    const FrameHeader header = decode_header(frames.data());
    owner_.session_traced(/*sent=*/true, header);
    frames.remove_prefix(kFrameHeaderBytes + header.payload_bytes);
  }
}

Clock::time_point Session::wake_at() const {
  if (state_ == State::greeting) return greeting_until_;
  return std::min({ping_at(), dead_at(), ack_at_, outgoing_.next_deadline()});
}

error_code Session::on_time(Clock::time_point now) {
  if (state_ == State::ended) return Errc::link_lost;
  now_ = now;
  if (state_ == State::greeting) {
    if (now < greeting_until_) return {};
    return fail(Errc::handshake_timeout, "no HELLO in time");
  }
  if (now >= dead_at()) return fail(Errc::heartbeat_missed);
  if (now >= ping_at()) {
    ping();
    outbox_.release_memory();  // a whole interval of silence: the last burst is long over
  }
  outgoing_.expire(now);
  return {};
}

void Session::end() {
  if (state_ == State::ended) return;
  state_ = State::ended;
  outgoing_.fail_all();
  incoming_.cancel_all();
}

bool Session::drained() const {
  return leaving_ && !refusal_ && outgoing_.in_flight() == 0 && incoming_.in_flight() == 0 &&
         !outbox_.has_output() && acknowledged_by_peer_ == outbox_.reliable_frames();
}

Result<CallTicket> Session::call(const Event& event, std::string&& body,
                                 std::shared_ptr<ReplySink>&& sink, Clock::time_point now) {
  if (state_ != State::open) return Errc::peer_unavailable;
  if (peer_leaves_ || leaving_) return Errc::draining;
  if (!check(event).empty()) return Errc::malformed_frame;
  owner_.session_woke();  // before the call, whose result then is returned without a copy
  return outgoing_.call(event, std::move(body), std::move(sink), now);
}

void Session::cancel(CallTicket ticket) {
  outgoing_.cancel(ticket);
  owner_.session_woke();
}

void Session::consumed(CallTicket ticket, std::size_t bytes) {
  outgoing_.consumed(ticket, bytes);
  if (outbox_.has_output()) owner_.session_woke();
}

void Session::goodbye(Failure reason, bool drain) {
  if (leaving_ || state_ == State::ended) return;
  leaving_ = true;
  incoming_.drain();
  if (state_ == State::greeting && options_.side == Side::acceptor) {
    refusal_ = std::move(reason);
    return;
  }
  if (!drain) outbox_.silence();
  outbox_.push_control(encode_goodbye({.reason = std::move(reason), .drain = drain}));
  owner_.session_woke();
}

Session::Stats Session::stats() const {
  return {.calls_out_in_flight = outgoing_.in_flight(),
          .calls_in_in_flight = incoming_.in_flight(),
          .calls_out = outgoing_.made(),
          .calls_in = incoming_.received(),
          .bytes_received = bytes_received_,
          .bytes_sent = bytes_sent_,
          .stray_frames = stray_frames_,
          .round_trip = round_trip_};
}

}  // namespace rp::pipe
