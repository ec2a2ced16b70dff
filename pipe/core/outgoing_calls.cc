#include "pipe/core/outgoing_calls.h"

#include <algorithm>

#include "pipe/core/control.h"
#include "pipe/core/head.h"

namespace rp::pipe {
namespace {

constexpr std::string_view kNotSent =
    "the pipe broke before the request was sent; the handler has not run";
constexpr std::string_view kSessionLost =
    "the pipe broke before the reply was complete; the handler may have run";

std::uint16_t slot_of(CallId id) { return static_cast<std::uint16_t>(id & 0xffff); }

/// What has been given of a body, of which nothing has left.
std::string joined(const SendStream& stream) {
  std::string body;
  for (const auto& piece : stream.pieces) body += *piece;
  return body;
}

}  // namespace

void Caller::not_sent(Event&& /*event*/, std::string&& /*body*/) {
  fail({Errc::not_sent, std::string(kNotSent)});
}

OutgoingCalls::Call* OutgoingCalls::find(CallId id) {
  const std::uint16_t slot = slot_of(id);
  if (slot >= slots_.size() || slots_[slot]->id != id || id == 0) return nullptr;
  return slots_[slot].get();
}

OutgoingCalls::Call* OutgoingCalls::find(CallTicket ticket) {
  Call* call = find(ticket.id);
  return call && call->serial == ticket.serial ? call : nullptr;
}

OutgoingCalls::Call& OutgoingCalls::take_slot() {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint16_t>(slots_.size()));
    slots_.push_back(std::make_unique<Call>());
    generations_.push_back(0);
  }
  const std::uint16_t slot = free_.back();
  free_.pop_back();
  std::uint16_t& generation = generations_[slot];
  if (++generation == 0) ++generation;  // so that no id is 0
  Call& call = *slots_[slot];
  call.id = static_cast<CallId>(generation) << 16 | slot;
  ++open_;
  return call;
}

std::shared_ptr<Caller> OutgoingCalls::release(Call& call) {
  if (call.request) outbox_.drop(*call.request);
  call.request.reset();
  call.reply.reset();
  if (call.unconsumed > 0) window_.give_back(call.unconsumed);
  call.unconsumed = 0;
  free_.push_back(slot_of(call.id));
  call.id = 0;
  --open_;
  return std::move(call.caller);
}

Result<CallTicket> OutgoingCalls::call(const Event& event, std::string&& body,
                                       std::shared_ptr<Caller>&& caller, Clock::time_point now) {
  const std::size_t in_flight_max =
      std::min(limits_.calls_in_flight_max, peer_.calls_in_flight_max);
  if (open_ >= in_flight_max || outbox_.waiting_bytes() >= limits_.outbound_bytes_max) {
    return Errc::overloaded;
  }
  Call& call = take_slot();
  const bool whole = !event.body_follows && body.size() <= Limits::kInlineBodyBytesMax;
  append_call(event, whole ? std::string_view(body) : std::string_view(), whole, call.id, now,
              outbox_.add_message());
  call.written_at = outbox_.messages_end();
  call.caller = std::move(caller);
  call.deadline = event.deadline;
  next_deadline_ = std::min(next_deadline_, event.deadline);
  if (!whole) {
    SendStream::Listener* const listener = event.body_follows ? this : nullptr;
    call.request = std::make_unique<SendStream>(call.id, std::uint8_t{0}, peer_.stream_window_bytes,
                                                call.written_at, listener);
    if (!event.body_follows || !body.empty()) {
      outbox_.push(*call.request, std::move(body), !event.body_follows);
    }
  }
  call.serial = ++made_;
  return CallTicket{call.id, call.serial};
}

void OutgoingCalls::body_data(CallTicket ticket, std::string&& piece) {
  Call* call = find(ticket);
  if (!call || !call->request || call->request->ended || piece.empty()) return;
  outbox_.push(*call->request, std::move(piece), false);
}

void OutgoingCalls::body_end(CallTicket ticket) {
  Call* call = find(ticket);
  if (!call || !call->request || call->request->ended) return;
  outbox_.push(*call->request, {}, true);
}

void OutgoingCalls::body_sent(CallId id, std::size_t bytes) {
  Call* call = find(id);
  if (!call || bytes == 0) return;
  const auto caller = call->caller;  // it may end the call from inside
  caller->body_consumed(bytes);
}

void OutgoingCalls::cancel(CallTicket ticket) {
  Call* call = find(ticket);
  if (!call) return;
  send_cancel(call->id, {Errc::cancelled, {}});
  release(*call);
}

void OutgoingCalls::consumed(CallTicket ticket, std::size_t bytes) {
  Call* call = find(ticket);
  if (!call || !call->reply) return;
  bytes = std::min(bytes, call->unconsumed);
  call->unconsumed -= bytes;
  if (const std::uint32_t credit = call->reply->give_back(bytes, window_.has_room()))
    send_credit(call->id, credit);
  window_.give_back(bytes);
}

OutgoingCalls::Outcome OutgoingCalls::on_reply(const Frame& frame) {
  Call* call = find(frame.header.call);
  if (!call) return Outcome::not_found;
  const bool end = (frame.header.flags & frame_flag::end) != 0;
  if (call->reply || (!end && !frame.body().empty())) return Outcome::violation;
  Result<DecodedReply> reply = decode_reply(frame.head());
  if (!reply) return Outcome::malformed;
  if (reply->failed && !end) return Outcome::violation;
  if (end) {
    const auto caller = release(*call);
    if (reply->failed) {
      caller->fail(std::move(reply->error));
    } else {
      caller->reply(std::move(reply->head), std::string(frame.body()));
    }
    return Outcome::ok;
  }
  call->reply =
      std::make_unique<ReceiveWindow>(limits_.stream_window_bytes, Limits::kStreamWindowBytesMax);
  const auto caller = call->caller;  // begin() may end the call
  caller->begin(std::move(reply->head));
  return Outcome::ok;
}

OutgoingCalls::Outcome OutgoingCalls::on_data(const Frame& frame) {
  Call* call = find(frame.header.call);
  if (!call) {
    window_.give_back(frame.payload.size());
    return Outcome::not_found;
  }
  if (!call->reply || !call->reply->take(frame.payload.size())) return Outcome::violation;
  call->unconsumed += frame.payload.size();
  const CallId id = call->id;
  const auto caller = call->caller;
  if (!frame.payload.empty()) caller->data(std::string(frame.payload));
  if ((frame.header.flags & frame_flag::end) != 0) {
    call = find(id);  // data() may have cancelled it
    if (call) release(*call)->end();
  }
  return Outcome::ok;
}

OutgoingCalls::Outcome OutgoingCalls::on_credit(CallId id, std::uint32_t bytes) {
  Call* call = find(id);
  if (!call) return Outcome::not_found;
  if (!call->request) return Outcome::violation;
  return outbox_.credit(*call->request, bytes) ? Outcome::ok : Outcome::violation;
}

OutgoingCalls::Outcome OutgoingCalls::on_cancel(CallId id, Failure reason) {
  Call* call = find(id);
  if (!call) return Outcome::not_found;
  release(*call)->fail(std::move(reason));
  return Outcome::ok;
}

Clock::time_point OutgoingCalls::expire(Clock::time_point now) {
  if (now < next_deadline_) return next_deadline_;
  next_deadline_ = Clock::time_point::max();
  std::vector<CallId> due;
  for (const auto& call : slots_) {
    if (call->id == 0) continue;
    if (call->deadline <= now) {
      due.push_back(call->id);
    } else {
      next_deadline_ = std::min(next_deadline_, call->deadline);
    }
  }
  for (const CallId id : due) {
    Call* call = find(id);
    if (!call) continue;
    const bool begun = call->reply != nullptr;
    send_cancel(id, {Errc::deadline_exceeded, {}});
    release(*call)->fail({Errc::deadline_exceeded,
                          begun ? "the reply did not end within the request's time limit"
                                : "the other node sent no reply within the request's time limit"});
  }
  return next_deadline_;
}

void OutgoingCalls::give_up() {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    Call& call = *slots_[slot];
    if (call.id == 0 || call.written_at > outbox_.produced()) continue;
    send_cancel(call.id, {Errc::cancelled, {}});
    release(call)->fail({Errc::session_lost, std::string(kSessionLost)});
  }
}

void OutgoingCalls::end_all(Clock::time_point now) {
  return_unsent(now);
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    Call& call = *slots_[slot];
    if (call.id == 0) continue;
    release(call)->fail({Errc::session_lost, std::string(kSessionLost)});
  }
}

/// Reads the calls that have not left from the frames in which they wait: only they are kept.
void OutgoingCalls::return_unsent(Clock::time_point now) {
  struct Unsent {
    std::shared_ptr<Caller> caller;
    Event event;
    std::string body;
  };
  std::vector<Unsent> unsent;
  FrameDecoder waiting(Limits::kFrameBytesMax);
  waiting.push(outbox_.unsent_messages());
  while (const auto frame = waiting.next()) {
    const FrameHeader& header = (*frame)->header;
    Call* call =
        header.type == static_cast<std::uint8_t>(FrameType::call) ? find(header.call) : nullptr;
    if (!call) continue;  // an answer to the peer, or a call that was cancelled meanwhile
    Event event;
    if (decode_call((*frame)->head(), now, event)) continue;  // cannot be: it is our own
    event.deadline = call->deadline;
    std::string body((*frame)->body());
    if (call->request) {
      event.body_follows = !call->request->ended;
      body = joined(*call->request);
    }
    unsent.push_back({release(*call), std::move(event), std::move(body)});
  }
  for (Unsent& u : unsent) u.caller->not_sent(std::move(u.event), std::move(u.body));
}

void OutgoingCalls::send_cancel(CallId id, const Failure& reason) {
  // In the lane of the CALL frame, which it must not overtake.
  outbox_.add_message().append(encode_cancel(id, 0, reason));
}

void OutgoingCalls::send_credit(CallId id, std::uint32_t bytes) {
  outbox_.push_control(encode_credit(id, 0, bytes));
}

}  // namespace rp::pipe
