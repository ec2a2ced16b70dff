#include "handlers/isolated/hosted_call.h"

#include <utility>

#include "handlers/isolated/isolated_plugin.h"
#include "pipe/core/head.h"
#include "pipe/submission.h"

namespace rp::handlers {

using pipe::Errc;

HostedCall::HostedCall(std::shared_ptr<IsolatedPlugin> plugin) : plugin_(std::move(plugin)) {}

HostedCall::~HostedCall() = default;

void HostedCall::submit(pipe::Event&& event, std::string&& body,
                        std::shared_ptr<pipe::ReplySink>&& sink) {
  if (plugin_->thread().is_current()) {
    return start(std::move(event), std::move(body), std::move(sink));
  }
  ++posted_;
  const auto begin_call = [self = shared_from_this()](pipe::Event&& e, std::string&& b,
                                                      std::shared_ptr<pipe::ReplySink>&& s) {
    --self->posted_;
    self->start(std::move(e), std::move(b), std::move(s));
  };
  plugin_->thread().post(
      pipe::Submission(begin_call, std::move(event), std::move(body), std::move(sink)));
}

template <class F>
void HostedCall::at_home(F f) {
  if (posted_ == 0 && plugin_->thread().is_current()) return f(*this);
  ++posted_;
  plugin_->thread().post([self = shared_from_this(), f = std::move(f)]() mutable {
    --self->posted_;
    f(*self);
  });
}

pipe::Session* HostedCall::session() const { return sent_ && sink_ ? plugin_->session() : nullptr; }

void HostedCall::start(pipe::Event&& event, std::string&& body,
                       std::shared_ptr<pipe::ReplySink>&& sink) {
  if (cancelled_) return;
  sink_ = std::move(sink);
  event_ = std::move(event);
  body_ = std::move(body);
  plugin_->take(shared_from_this());
}

bool HostedCall::send(pipe::Session& session, pipe::Clock::time_point now) {
  const auto ticket = session.call(event_, std::move(body_), shared_from_this(), now);
  if (ticket) {
    ticket_ = *ticket;
    sent_ = true;
    event_ = {};
    body_ = {};
    return true;
  }
  if (ticket.error() == Errc::peer_unavailable || ticket.error() == Errc::draining) return false;
  std::string detail = ticket.error() == Errc::malformed_frame ? check(event_) : std::string();
  if (detail.empty()) detail = ticket.error().message();
  fail({static_cast<Errc>(ticket.error().value()), std::move(detail)});
  return true;
}

void HostedCall::not_sent(pipe::Event&& event, std::string&& body) {
  sent_ = false;
  if (!sink_) return;
  event_ = std::move(event);
  body_ = std::move(body);
  plugin_->take(shared_from_this());
}

void HostedCall::cancel() {
  at_home([](HostedCall& call) {
    call.cancelled_ = true;
    if (auto* const session = call.session()) session->cancel(call.ticket_);
    call.sink_.reset();
    call.event_ = {};
    call.body_ = {};
  });
}

void HostedCall::consumed(std::size_t bytes) {
  at_home([bytes](HostedCall& call) {
    if (auto* const session = call.session()) session->consumed(call.ticket_, bytes);
  });
}

void HostedCall::body_data(std::string piece) {
  at_home([piece = std::move(piece)](HostedCall& call) mutable {
    if (auto* const session = call.session()) {
      session->body_data(call.ticket_, std::move(piece));
    } else if (call.sink_) {
      call.body_ += piece;  // no more than kStreamWindowBytes: nothing is consumed yet
    }
  });
}

void HostedCall::body_end() {
  at_home([](HostedCall& call) {
    if (auto* const session = call.session()) {
      session->body_end(call.ticket_);
    } else {
      call.event_.body_follows = false;
    }
  });
}

void HostedCall::reply(pipe::ReplyHead&& head, std::string&& body) {
  if (const auto sink = std::exchange(sink_, nullptr)) {
    sink->reply(std::move(head), std::move(body));
  }
}

void HostedCall::begin(pipe::ReplyHead&& head) {
  if (const auto sink = sink_) sink->begin(std::move(head));
}

void HostedCall::data(std::string piece) {
  if (const auto sink = sink_) sink->data(std::move(piece));
}

void HostedCall::end() {
  if (const auto sink = std::exchange(sink_, nullptr)) sink->end();
}

void HostedCall::fail(pipe::Failure failure) {
  if (const auto sink = std::exchange(sink_, nullptr)) {
    sink->fail(plugin_->translated(std::move(failure)));
  }
}

void HostedCall::body_consumed(std::size_t bytes) {
  if (const auto sink = sink_) sink->body_consumed(bytes);
}

}  // namespace rp::handlers
