#include "pipe/core/incoming_calls.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "pipe/core/control.h"
#include "pipe/core/head.h"

namespace rp::pipe {
namespace {

// The way back of an answer: 5 % of a call's time, and never more than 50 ms, which is a long way.
constexpr int kWayBackPart = 20;
constexpr std::chrono::milliseconds kWayBackMax{50};

/// When an answer has to be on its way. Only this side knows whose time it was that ran out, the
/// handler's, a queue's or the body's, and its word has to arrive before the caller's own clock
/// ends the call with less.
Clock::time_point answer_by(Clock::time_point deadline, Clock::time_point now) {
  if (deadline == Clock::time_point::max()) return deadline;
  return deadline - std::min<Clock::duration>((deadline - now) / kWayBackPart, kWayBackMax);
}

}  // namespace

struct IncomingCalls::Call {
  CallId id = 0;  // 0 while the slot is free
  std::uint64_t serial = 0;
  bool body_open = false;  // the rest of the request's body is still to come
  ReceiveWindow window{0};
  std::size_t unconsumed = 0;            // bytes of the body that the target still holds
  std::shared_ptr<CallControl> control;  // once the target has taken it
  std::unique_ptr<SendStream> reply;     // once the reply streams
};

struct IncomingCalls::Anchor {
  IncomingCalls* calls;  // null once they are gone; touched on the home thread only
  HomeThread& home;
};

/// Brings an answer home from whatever thread it is given on.
class IncomingCalls::Answer final : public ReplySink {
 public:
  Answer(std::shared_ptr<Anchor> anchor, Ticket ticket)
      : anchor_(std::move(anchor)), ticket_(ticket) {}

  void reply(ReplyHead&& head, std::string&& body) override {
    if (anchor_->home.is_current()) {  // the common case, without moving the answer about
      if (anchor_->calls) anchor_->calls->reply(ticket_, std::move(head), std::move(body));
      return;
    }
    at_home([ticket = ticket_, head = std::move(head),
             body = std::move(body)](IncomingCalls& calls) mutable {
      calls.reply(ticket, std::move(head), std::move(body));
    });
  }
  void begin(ReplyHead&& head) override {
    at_home([ticket = ticket_, head = std::move(head)](IncomingCalls& calls) mutable {
      calls.begin(ticket, std::move(head));
    });
  }
  void data(std::string piece) override {
    at_home([ticket = ticket_, piece = std::move(piece)](IncomingCalls& calls) mutable {
      calls.data(ticket, std::move(piece), false);
    });
  }
  void end() override {
    at_home([ticket = ticket_](IncomingCalls& calls) { calls.data(ticket, {}, true); });
  }
  void fail(Failure failure) override {
    at_home([ticket = ticket_, failure = std::move(failure)](IncomingCalls& calls) mutable {
      calls.fail(ticket, std::move(failure));
    });
  }
  void body_consumed(std::size_t bytes) override {
    at_home(
        [ticket = ticket_, bytes](IncomingCalls& calls) { calls.body_consumed(ticket, bytes); });
  }

 private:
  template <class F>
  void at_home(F f) {
    if (anchor_->home.is_current()) {
      if (anchor_->calls) f(*anchor_->calls);
      return;
    }
    anchor_->home.post([anchor = anchor_, f = std::move(f)]() mutable {
      if (!anchor->calls) return;
      f(*anchor->calls);
    });
  }

  std::shared_ptr<Anchor> anchor_;
  const Ticket ticket_;
};

IncomingCalls::IncomingCalls(Context context)
    : context_(std::move(context)),
      anchor_(std::make_shared<Anchor>(Anchor{this, context_.home})) {}

IncomingCalls::~IncomingCalls() { anchor_->calls = nullptr; }

IncomingCalls::Call* IncomingCalls::find(CallId id) {
  const std::size_t slot = id & 0xffff;
  if (slot >= slots_.size() || !slots_[slot] || slots_[slot]->id != id || id == 0) return nullptr;
  return slots_[slot].get();
}

IncomingCalls::Call* IncomingCalls::find(Ticket ticket) {
  Call* call = find(ticket.id);
  return call && call->serial == ticket.serial ? call : nullptr;
}

IncomingCalls::Call* IncomingCalls::open(CallId id) {
  const std::size_t slot = id & 0xffff;
  if (slot >= context_.limits.calls_in_flight_max || id >> 16 == 0) return nullptr;
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  if (!slots_[slot]) slots_[slot] = std::make_unique<Call>();
  Call& call = *slots_[slot];
  if (call.id != 0) return nullptr;
  call.id = id;
  call.serial = ++received_;
  ++open_;
  return &call;
}

void IncomingCalls::close(Call& call) {
  if (call.reply) context_.outbox.drop(*call.reply);
  if (call.unconsumed > 0) context_.window.give_back(call.unconsumed);
  call.id = 0;
  call.body_open = false;
  call.unconsumed = 0;
  call.control.reset();
  call.reply.reset();
  --open_;
}

void IncomingCalls::refuse(CallId id, Failure failure) {
  append_error_reply(failure, id, context_.outbox.add_message());
}

IncomingCalls::Outcome IncomingCalls::on_call(const Frame& frame, Clock::time_point now) {
  const CallId id = frame.header.call;
  const bool end = (frame.header.flags & frame_flag::end) != 0;
  Event event;
  if (decode_call(frame.head(), now, event)) return Outcome::malformed;
  event.deadline = answer_by(event.deadline, now);
  if (!end && !frame.body().empty()) return Outcome::violation;
  Call* call = open(id);
  if (!call) return Outcome::violation;
  if (draining_) {
    close(*call);
    refuse(id, {Errc::draining, "the node is shutting down; the handler has not run"});
    return Outcome::ok;
  }
  if (context_.outbox.waiting_bytes() >= context_.limits.outbound_bytes_max) {
    close(*call);
    refuse(id, {Errc::overloaded, "too many replies wait to be read; the handler has not run"});
    return Outcome::ok;
  }
  event.body_follows = !end;
  call->body_open = !end;
  if (!end)
    call->window =
        ReceiveWindow(context_.limits.stream_window_bytes, Limits::kStreamWindowBytesMax);
  submit(*call, std::move(event), std::string(frame.body()));
  return Outcome::ok;
}

void IncomingCalls::submit(Call& call, Event&& event, std::string&& body) {
  const Ticket ticket{call.id, call.serial};
  std::optional<Origin> first_caller;
  if (context_.passes_on && !event.caller.empty()) {
    first_caller = context_.origin;
    first_caller->node = std::move(event.caller);
  }
  event.caller.clear();
  auto control = context_.target.submit(std::move(event), std::move(body),
                                        first_caller ? *first_caller : context_.origin,
                                        std::make_shared<Answer>(anchor_, ticket));
  // The target may have answered already, and the slot may even serve another call by now.
  if (Call* open = find(ticket)) open->control = std::move(control);
}

IncomingCalls::Outcome IncomingCalls::on_data(const Frame& frame) {
  const std::size_t bytes = frame.payload.size();
  Call* call = find(frame.header.call);
  if (!call) {
    context_.window.give_back(bytes);
    return Outcome::not_found;
  }
  if (!call->body_open || !call->window.take(bytes)) return Outcome::violation;
  call->unconsumed += bytes;
  const bool end = (frame.header.flags & frame_flag::end) != 0;
  call->body_open = !end;
  const auto control = call->control;  // the target may answer from inside, which ends the call
  if (bytes > 0) control->body_data(std::string(frame.payload));
  if (end) control->body_end();
  return Outcome::ok;
}

void IncomingCalls::body_consumed(Ticket ticket, std::size_t bytes) {
  Call* call = find(ticket);
  if (!call) return;
  bytes = std::min(bytes, call->unconsumed);
  call->unconsumed -= bytes;
  if (const std::uint32_t credit = call->window.give_back(bytes, context_.window.has_room());
      credit > 0 && call->body_open) {
    context_.outbox.push_control(encode_credit(call->id, frame_flag::yours, credit));
  }
  context_.window.give_back(bytes);
  if (context_.outbox.has_output()) context_.answered();
}

IncomingCalls::Outcome IncomingCalls::on_credit(CallId id, std::uint32_t bytes) {
  Call* call = find(id);
  if (!call) return Outcome::not_found;
  if (!call->reply) return Outcome::violation;
  return context_.outbox.credit(*call->reply, bytes) ? Outcome::ok : Outcome::violation;
}

IncomingCalls::Outcome IncomingCalls::on_cancel(CallId id) {
  Call* call = find(id);
  if (!call) return Outcome::not_found;
  const auto control = std::move(call->control);
  close(*call);
  if (control) control->cancel();
  return Outcome::ok;
}

void IncomingCalls::cancel_all() {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot] && slots_[slot]->id != 0) on_cancel(slots_[slot]->id);
  }
}

void IncomingCalls::reply(Ticket ticket, ReplyHead&& head, std::string&& body) {
  Call* call = find(ticket);
  if (!call || call->reply) return;
  if (std::string wrong = check(head); !wrong.empty()) {
    return fail(ticket, {Errc::handler_failed, "the handler's reply cannot be sent: " + wrong});
  }
  if (body.size() <= Limits::kInlineBodyBytesMax) {
    close(*call);
    append_reply(head, body, true, ticket.id, context_.outbox.add_message());
  } else {
    head.body_bytes = body.size();
    start_stream(*call, std::move(head));
    context_.outbox.push(*call->reply, std::move(body), true);
  }
  context_.answered();
}

void IncomingCalls::start_stream(Call& call, ReplyHead head) {
  append_reply(head, {}, false, call.id, context_.outbox.add_message());
  const std::uint64_t head_at = context_.outbox.messages_end();
  SendStream::Listener* listener = this;
  call.reply = std::make_unique<SendStream>(call.id, frame_flag::yours,
                                            context_.peer_stream_window_bytes, head_at, listener);
}

void IncomingCalls::begin(Ticket ticket, ReplyHead head) {
  Call* call = find(ticket);
  if (!call || call->reply) return;
  if (std::string wrong = check(head); !wrong.empty()) {
    return fail(ticket, {Errc::handler_failed, "the handler's reply cannot be sent: " + wrong});
  }
  start_stream(*call, std::move(head));
  context_.answered();
}

void IncomingCalls::data(Ticket ticket, std::string piece, bool end) {
  Call* call = find(ticket);
  if (!call || !call->reply || call->reply->ended) return;
  context_.outbox.push(*call->reply, std::move(piece), end);
  context_.answered();
}

void IncomingCalls::fail(Ticket ticket, Failure failure) {
  Call* call = find(ticket);
  if (!call) return;
  const bool begun = call->reply != nullptr;
  close(*call);
  if (begun) {
    // In the lane of the REPLY frame, which it must not overtake.
    context_.outbox.add_message().append(encode_cancel(ticket.id, frame_flag::yours, failure));
  } else {
    refuse(ticket.id, std::move(failure));
  }
  context_.answered();
}

void IncomingCalls::body_sent(CallId id, std::size_t bytes) {
  Call* call = find(id);
  if (!call) return;
  const auto control = call->control;  // the producer may answer again from inside consumed()
  if (call->reply->end_sent) close(*call);
  if (control && bytes > 0) control->consumed(bytes);
}

}  // namespace rp::pipe
