#include "pipe/core/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pipe/core/head.h"

namespace rp::pipe {
namespace {

// An acknowledgement leaves after this many bytes or this long, whichever comes first
// (docs/wire.md, "Acknowledgement").
constexpr std::size_t kAckBytes = 32 * 1024;
constexpr std::chrono::milliseconds kAckDelay{100};

// Two nodes that exchange bursts of small calls work at the same time if each hands over half of
// what it makes of a burst while it works on the rest. Halves below this cost more records and
// system calls than they save (docs/performance.md).
constexpr std::size_t kHalfBytesMin = 3 * 1024;

}  // namespace

Session::Session(Options options, Hello peer, EventTarget& target, HomeThread& home,
                 SessionOwner& owner, Clock::time_point now)
    : options_(std::move(options)),
      peer_(std::move(peer)),
      owner_(owner),
      now_(now),
      outbox_(peer_.session_window_bytes, options_.limits.session_window_bytes),
      outgoing_(options_.limits,
                {.calls_in_flight_max = peer_.calls_in_flight_max,
                 .stream_window_bytes = peer_.stream_window_bytes},
                outbox_, window_),
      incoming_({.limits = options_.limits,
                 .outbox = outbox_,
                 .window = window_,
                 .target = target,
                 .home = home,
                 .answered = [this] { woke(); },
                 .origin = options_.origin,
                 .passes_on = options_.side == Side::dialler,
                 .peer_stream_window_bytes = peer_.stream_window_bytes}),
      received_at_(now) {}

error_code Session::attach(std::uint64_t peer_received_frames, Clock::time_point now) {
  now_ = now;
  attached_ = true;
  ++links_;
  received_at_ = now;
  pinged_at_ = Clock::time_point::min();
  pong_awaited_ = false;
  acknowledged_by_us_ = received_frames_;  // as our HELLO said
  unacknowledged_bytes_ = 0;
  ack_at_ = Clock::time_point::max();
  if (!outbox_.attach(peer_received_frames)) {
    return fail(Errc::protocol_violation, "HELLO counts frames that were not sent");
  }
  return {};
}

void Session::detach(Clock::time_point now) {
  now_ = now;
  attached_ = false;
  decoder_ = FrameDecoder(Limits::kFrameBytesMax);
  outbox_.detach();
  if (leaving_ || peer_leaves_) over_ = true;
}

error_code Session::receive(std::string_view bytes, Clock::time_point now) {
  if (over_ || !attached_) return Errc::link_lost;
  now_ = now;
  received_at_ = now;
  bytes_received_ += bytes.size();
  unacknowledged_bytes_ += bytes.size();
  decoder_.push(bytes);
  const std::size_t half = std::max(bytes.size() / 2, kHalfBytesMin);
  while (auto frame = decoder_.next()) {
    if (!*frame) return fail(static_cast<Errc>(frame->error().value()));
    if (auto ec = on_frame(**frame)) return ec;
    if (over_ || !attached_) return Errc::link_lost;  // whoever was told ended us
    if (outbox_.waiting_bytes() >= half && decoder_.unread().size() >= kHalfBytesMin) {
      owner_.session_has_batch();
    }
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
  if (is_reliable(header.type)) ++received_frames_;
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::call:
    case FrameType::reply:
    case FrameType::data:
    case FrameType::credit:
    case FrameType::cancel:
      return on_call_frame(frame);
    case FrameType::hello:
      return fail(Errc::protocol_violation, "a second HELLO");
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
  over_ = true;
  return reason;
}

error_code Session::on_ack(std::string_view payload) {
  const Result<std::uint64_t> count = decode_ack(payload);
  if (!count) return fail(Errc::malformed_frame, "ACK does not parse");
  if (!outbox_.acknowledge(*count)) {
    return fail(Errc::protocol_violation, "ACK names frames that were not sent");
  }
  return {};
}

error_code Session::on_goodbye(std::string_view payload) {
  Result<Goodbye> goodbye = decode_goodbye(payload);
  if (!goodbye) return fail(Errc::malformed_frame, "GOODBYE does not parse");
  peer_leaves_ = true;
  retry_after_ = goodbye->retry_after;
  if (!goodbye->drain) {
    over_ = true;
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
  now_ = now;
  acknowledge_if_due();
  const std::size_t before = out.size();
  outbox_.produce(out, bytes_max);
  bytes_sent_ += out.size() - before;
  if (options_.trace) trace_sent(std::string_view(out).substr(before));
}

void Session::acknowledge_if_due() {
  const bool due = unacknowledged_bytes_ >= kAckBytes || now_ >= ack_at_;
  if (!due || received_frames_ == acknowledged_by_us_ || outbox_.silent()) return;
  outbox_.push_control(encode_ack(received_frames_));
  acknowledged_by_us_ = received_frames_;
  unacknowledged_bytes_ = 0;
  ack_at_ = Clock::time_point::max();
}

void Session::trace_sent(std::string_view frames) {
  while (!frames.empty()) {
    const FrameHeader header = decode_header(frames.data());
    owner_.session_traced(/*sent=*/true, header);
    frames.remove_prefix(kFrameHeaderBytes + header.payload_bytes);
  }
}

Clock::time_point Session::wake_at() const {
  if (!attached_) return outgoing_.next_deadline();
  return std::min({ping_at(), dead_at(), ack_at_, outgoing_.next_deadline()});
}

error_code Session::on_time(Clock::time_point now) {
  now_ = now;
  if (over_) return Errc::link_lost;
  if (attached_) {
    if (now >= dead_at()) return Errc::heartbeat_missed;
    if (now >= ping_at()) {
      ping();
      outbox_.release_memory();  // a whole interval of silence: the last burst is long over
    }
  }
  outgoing_.expire(now);
  return {};
}

void Session::give_up(Clock::time_point now) {
  now_ = now;
  if (!over_) outgoing_.give_up();
}

void Session::end(Clock::time_point now) {
  if (std::exchange(ended_, true)) return;
  over_ = true;
  attached_ = false;
  outgoing_.end_all(now);
  incoming_.cancel_all();
}

bool Session::drained() const {
  return leaving_ && outgoing_.in_flight() == 0 && incoming_.in_flight() == 0 &&
         !outbox_.has_output() && outbox_.acknowledged_frames() == outbox_.reliable_frames();
}

Result<CallTicket> Session::call(const Event& event, std::string&& body,
                                 std::shared_ptr<Caller>&& caller, Clock::time_point now) {
  if (over_ || !attached_) return Errc::peer_unavailable;
  if (peer_leaves_ || leaving_) return Errc::draining;
  if (!check(event).empty()) return Errc::malformed_frame;
  woke();  // before the call, whose result then is returned without a copy
  return outgoing_.call(event, std::move(body), std::move(caller), now);
}

void Session::body_data(CallTicket ticket, std::string&& piece) {
  outgoing_.body_data(ticket, std::move(piece));
  woke();
}

void Session::body_end(CallTicket ticket) {
  outgoing_.body_end(ticket);
  woke();
}

void Session::cancel(CallTicket ticket) {
  outgoing_.cancel(ticket);
  woke();
}

void Session::consumed(CallTicket ticket, std::size_t bytes) {
  outgoing_.consumed(ticket, bytes);
  if (outbox_.has_output()) woke();
}

void Session::goodbye(Failure reason, bool drain) {
  if (leaving_ || over_) return;
  leaving_ = true;
  incoming_.drain();
  over_ = !drain || !attached_;
  if (over_) {
    outbox_.silence();
    end_detail_ = reason.detail;
  }
  outbox_.push_control(encode_goodbye({.reason = std::move(reason), .drain = drain}));
  woke();
}

Session::Stats Session::stats() const {
  return {.calls_out_in_flight = outgoing_.in_flight(),
          .calls_in_in_flight = incoming_.in_flight(),
          .calls_out = outgoing_.made(),
          .calls_in = incoming_.received(),
          .bytes_received = bytes_received_,
          .bytes_sent = bytes_sent_,
          .stray_frames = stray_frames_,
          .links = links_,
          .unacknowledged_bytes = outbox_.unacknowledged_bytes(),
          .round_trip = round_trip_};
}

}  // namespace rp::pipe
