#include "pipe/core/incoming_calls.h"

#include <utility>

#include "pipe/core/control.h"
#include "pipe/core/head.h"

namespace rp::pipe {

struct IncomingCalls::Call {
  CallId id = 0;  // 0 while the slot is free
  std::uint64_t serial = 0;
  Event event;  // until it is submitted
  std::string body;
  std::size_t counted_bytes = 0;  // this call's part of gathered_bytes_
  bool submitted = false;
  ReceiveWindow window{0};
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

  void reply(ReplyHead head, std::string body) override {
    if (anchor_->home.is_current()) {  // the common case, without moving the answer about
      if (anchor_->calls) anchor_->calls->reply(ticket_, std::move(head), std::move(body));
      return;
    }
    at_home([ticket = ticket_, head = std::move(head),
             body = std::move(body)](IncomingCalls& calls) mutable {
      calls.reply(ticket, std::move(head), std::move(body));
    });
  }
  void begin(ReplyHead head) override {
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

IncomingCalls::IncomingCalls(Context context, Origin origin)
    : context_(std::move(context)),
      origin_(std::move(origin)),
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
  gathered_bytes_ -= call.counted_bytes;
  call.id = 0;
  call.counted_bytes = 0;
  call.submitted = false;
  call.control.reset();
  call.reply.reset();
  call.body = {};
  --open_;
}

void IncomingCalls::refuse(CallId id, Failure failure) {
  append_error_reply(failure, id, context_.outbox.messages());
}

IncomingCalls::Outcome IncomingCalls::on_call(const Frame& frame, Clock::time_point now) {
  const CallId id = frame.header.call;
  const bool end = (frame.header.flags & frame_flag::end) != 0;
  Result<Event> event = decode_call(frame.head(), now);
  if (!event) return Outcome::malformed;
  if (!end && !frame.body().empty()) return Outcome::violation;
  Call* call = open(id);
  if (!call) return Outcome::violation;
  call->window = ReceiveWindow(context_.limits.stream_window_bytes);
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
  if (!gather(*call, frame.body())) return Outcome::ok;
  if (end) {
    submit(*call, std::move(*event));
  } else {
    call->event = std::move(*event);
  }
  return Outcome::ok;
}

/// Takes a part of the request's body. False when the call was refused for it.
bool IncomingCalls::gather(Call& call, std::string_view bytes) {
  const CallId id = call.id;
  if (call.body.size() + bytes.size() > context_.limits.request_body_bytes_max) {
    close(call);
    refuse(id, {Errc::body_too_large, "the request body exceeds " +
                                          std::to_string(context_.limits.request_body_bytes_max) +
                                          " bytes"});
    return false;
  }
  if (gathered_bytes_ + bytes.size() > context_.limits.gathered_bytes_max) {
    close(call);
    refuse(id, {Errc::overloaded,
                "too many request bytes are held for this pipe; the handler has not run"});
    return false;
  }
  call.body.append(bytes);
  call.counted_bytes += bytes.size();
  gathered_bytes_ += bytes.size();
  return true;
}

void IncomingCalls::submit(Call& call, Event&& event) {
  const Ticket ticket{call.id, call.serial};
  call.submitted = true;
  auto control = context_.target.submit(std::move(event), std::move(call.body), origin_,
                                        std::make_shared<Answer>(anchor_, ticket));
  // The target may have answered already, and the slot may even serve another call by now.
  if (Call* open = find(ticket)) open->control = std::move(control);
}

IncomingCalls::Outcome IncomingCalls::on_data(const Frame& frame) {
  context_.window.give_back(frame.payload.size());
  Call* call = find(frame.header.call);
  if (!call) return Outcome::not_found;
  if (call->submitted || !call->window.take(frame.payload.size())) return Outcome::violation;
  // Gathered bytes are bounded by the body limits, so the window opens again at once.
  if (const std::uint32_t credit = call->window.give_back(frame.payload.size())) {
    context_.outbox.push_control(encode_credit(call->id, frame_flag::yours, credit));
  }
  if (!gather(*call, frame.payload)) return Outcome::ok;
  if ((frame.header.flags & frame_flag::end) != 0) submit(*call, std::move(call->event));
  return Outcome::ok;
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
    append_reply(head, body, true, ticket.id, context_.outbox.messages());
  } else {
    head.body_bytes = body.size();
    start_stream(*call, std::move(head));
    context_.outbox.push(*call->reply, std::move(body), true);
  }
  context_.answered();
}

void IncomingCalls::start_stream(Call& call, ReplyHead head) {
  append_reply(head, {}, false, call.id, context_.outbox.messages());
  const std::uint64_t head_at = context_.outbox.messages_end();
  SendStream::Listener* listener = this;
  call.reply = std::make_unique<SendStream>(call.id, frame_flag::yours, peer_stream_window_bytes_,
                                            head_at, listener);
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
    context_.outbox.messages().append(encode_cancel(ticket.id, frame_flag::yours, failure));
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
