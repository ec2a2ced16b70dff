#include "pipe/pipe_call.h"

#include <algorithm>

#include "pipe/core/head.h"
#include "pipe/submission.h"

namespace rp::pipe {
namespace {

// Marks a call whose handler, or whose node, takes a repetition for the same request.
constexpr std::string_view kRepeatableHeader = "idempotency-key";

/// Only whole bodies that travel inside the CALL frame are kept: that bounds what repeating costs.
bool is_repeatable(const Event& event, const std::string& body) {
  return !event.body_follows && body.size() <= Limits::kInlineBodyBytesMax &&
         std::any_of(event.headers.begin(), event.headers.end(),
                     [](const Header& h) { return h.name == kRepeatableHeader; });
}

/// The answer to a call that is made again: whatever becomes of the repetition, the first one may
/// have run.
class RepeatedAnswer final : public ReplySink {
 public:
  explicit RepeatedAnswer(std::shared_ptr<ReplySink> sink) : sink_(std::move(sink)) {}

  void reply(ReplyHead&& head, std::string&& body) override {
    sink_->reply(std::move(head), std::move(body));
  }
  void begin(ReplyHead&& head) override { sink_->begin(std::move(head)); }
  void data(std::string piece) override { sink_->data(std::move(piece)); }
  void end() override { sink_->end(); }
  void body_consumed(std::size_t bytes) override { sink_->body_consumed(bytes); }
  void fail(Failure failure) override {
    failure.has_not_run = false;  // it speaks of the repetition only
    switch (failure.code) {
      case Errc::not_sent:
      case Errc::peer_unavailable:
      case Errc::unknown_peer:
      case Errc::overloaded:
      case Errc::draining:
      case Errc::stopped:
        failure = {Errc::session_lost, "the pipe broke and the request could not be repeated (" +
                                           std::string(name(failure.code)) +
                                           "); the handler may have run"};
        break;
      case Errc::deadline_exceeded:
        failure.detail =
            "the request's time ran out after the pipe broke; the handler may have run";
        break;
      default:
        break;
    }
    sink_->fail(std::move(failure));
  }

 private:
  const std::shared_ptr<ReplySink> sink_;
};

}  // namespace

std::shared_ptr<CallControl> Pipe::Target::submit(Event&& event, std::string&& body,
                                                  const Origin& /*origin*/,
                                                  std::shared_ptr<ReplySink>&& sink) {
  auto call = std::make_shared<Call>(anchor_);
  if (anchor_->thread.is_current()) {
    call->start(std::move(event), std::move(body), std::move(sink));
    return call;
  }
  ++call->posted_;
  const auto start = [call](Event&& e, std::string&& b, std::shared_ptr<ReplySink>&& s) {
    --call->posted_;
    call->start(std::move(e), std::move(b), std::move(s));
  };
  anchor_->thread.post(Submission(start, std::move(event), std::move(body), std::move(sink)));
  return call;
}

template <class F>
void Pipe::Call::at_home(F f) {
  if (posted_ == 0 && anchor_->thread.is_current()) return f(*this);
  ++posted_;
  anchor_->thread.post([self = shared_from_this(), f = std::move(f)]() mutable {
    --self->posted_;
    f(*self);
  });
}

void Pipe::Call::start(Event&& event, std::string&& body, std::shared_ptr<ReplySink>&& sink) {
  if (cancelled_) return;
  sink_ = std::move(sink);
  if (!session()) return give_back(std::move(event), std::move(body));
  if (is_repeatable(event, body)) copy_ = std::make_unique<Copy>(Copy{event, body});
  // The time serves to say how much is left of a deadline; reading it is a twentieth of a call.
  const bool timed = event.deadline != Clock::time_point::max();
  const auto now = timed ? Clock::now() : Clock::time_point();
  const Result<CallTicket> ticket =
      session()->call(event, std::move(body), shared_from_this(), now);
  if (ticket) {
    ticket_ = *ticket;
    return;
  }
  if (ticket.error() == Errc::peer_unavailable || ticket.error() == Errc::draining) {
    return give_back(std::move(event), std::move(body));
  }
  std::string detail = ticket.error() == Errc::malformed_frame ? check(event) : std::string();
  if (detail.empty()) detail = ticket.error().message();
  fail({static_cast<Errc>(ticket.error().value()), std::move(detail)});
}

void Pipe::Call::give_back(Event&& event, std::string&& body) {
  copy_.reset();
  auto sink = std::exchange(sink_, nullptr);
  if (!sink) return;
  if (!anchor_->returned) {
    return sink->fail({Errc::peer_unavailable, "the pipe is gone; the handler has not run"});
  }
  // What has been given of a body that goes on follows the event, like the rest of it.
  std::string begun = event.body_follows ? std::exchange(body, {}) : std::string();
  const auto next = anchor_->returned(std::move(event), std::move(body), std::move(sink));
  if (!begun.empty()) next->body_data(std::move(begun));
  next_ = next;
  if (cancelled_) next->cancel();
}

void Pipe::Call::not_sent(Event&& event, std::string&& body) {
  give_back(std::move(event), std::move(body));
}

void Pipe::Call::cancel() {
  at_home([](Call& call) {
    call.cancelled_ = true;
    call.copy_.reset();
    const auto sink = std::exchange(call.sink_, nullptr);
    if (call.next_) return call.next_->cancel();
    if (Session* session = call.session()) session->cancel(call.ticket_);
  });
}

void Pipe::Call::consumed(std::size_t bytes) {
  at_home([bytes](Call& call) {
    if (call.next_) return call.next_->consumed(bytes);
    if (Session* session = call.session()) session->consumed(call.ticket_, bytes);
  });
}

void Pipe::Call::body_data(std::string piece) {
  at_home([piece = std::move(piece)](Call& call) mutable {
    if (call.next_) return call.next_->body_data(std::move(piece));
    if (Session* session = call.session()) session->body_data(call.ticket_, std::move(piece));
  });
}

void Pipe::Call::body_end() {
  at_home([](Call& call) {
    if (call.next_) return call.next_->body_end();
    if (Session* session = call.session()) session->body_end(call.ticket_);
  });
}

void Pipe::Call::reply(ReplyHead&& head, std::string&& body) {
  copy_.reset();
  if (const auto sink = std::exchange(sink_, nullptr))
    sink->reply(std::move(head), std::move(body));
}

void Pipe::Call::begin(ReplyHead&& head) {
  copy_.reset();
  if (const auto sink = sink_) sink->begin(std::move(head));
}

void Pipe::Call::data(std::string piece) {
  if (const auto sink = sink_) sink->data(std::move(piece));
}

void Pipe::Call::end() {
  if (const auto sink = std::exchange(sink_, nullptr)) sink->end();
}

void Pipe::Call::fail(Failure failure) {
  if (copy_ && anchor_->ending && failure.code == Errc::session_lost) {
    const auto copy = std::move(copy_);
    sink_ = std::make_shared<RepeatedAnswer>(std::move(sink_));
    return give_back(std::move(copy->event), std::move(copy->body));
  }
  copy_.reset();
  if (const auto sink = std::exchange(sink_, nullptr)) sink->fail(std::move(failure));
}

void Pipe::Call::body_consumed(std::size_t bytes) {
  if (const auto sink = sink_) sink->body_consumed(bytes);
}

}  // namespace rp::pipe
