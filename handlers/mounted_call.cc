#include "handlers/mounted_call.h"

#include <algorithm>
#include <utility>

#include "pipe/log.h"

namespace rp::handlers {

using pipe::Clock;

MountedCall::MountedCall(std::shared_ptr<CallContext> context, std::string method,
                         const pipe::Event& event, const pipe::Origin& origin,
                         std::shared_ptr<pipe::ReplySink> sink)
    : LiveCall(event.deadline),
      context_(std::move(context)),
      method_(std::move(method)),
      request_id_(event.request_id),
      peer_(origin.node),
      sink_(std::move(sink)) {}

MountedCall::~MountedCall() { context_->live.remove(*this); }

void MountedCall::run(pipe::EventTarget& target, pipe::Event event, std::string body,
                      pipe::Origin origin) {
  if (context_->observer != nullptr) context_->observer->started(method_);
  begun_ = true;
  auto self = std::static_pointer_cast<MountedCall>(shared_from_this());
  auto control =
      target.submit(std::move(event), std::move(body), std::move(origin), std::move(self));
  {
    const std::lock_guard lock(mutex_);
    if (sink_) {
      control_ = std::move(control);
      return;
    }
  }
  control->cancel();  // it ended meanwhile, perhaps without the target's doing
}

MountedCall::Control MountedCall::control() {
  const std::lock_guard lock(mutex_);
  return control_;
}

std::shared_ptr<pipe::ReplySink> MountedCall::finish() {
  Control dropped;  // outside of the lock: it may own what owns us
  const std::lock_guard lock(mutex_);
  dropped = std::exchange(control_, nullptr);
  return std::exchange(sink_, nullptr);
}

void MountedCall::settle(bool ok) {
  context_->live.remove(*this);
  auto* const observer = context_->observer;
  if (observer == nullptr) return;
  const auto took = Clock::now() - received_at_;
  observer->finished(method_, took, ok);
  observer->handled(took);
}

void MountedCall::end_unanswered(std::optional<pipe::Failure> failure) {
  Control control;
  std::shared_ptr<pipe::ReplySink> sink;
  {
    const std::lock_guard lock(mutex_);
    if (!sink_) return;
    sink = std::exchange(sink_, nullptr);
    control = std::exchange(control_, nullptr);
    if (in_sink_) late_failure_ = std::exchange(failure, std::nullopt);
  }
  settle(false);
  if (failure) sink->fail(std::move(*failure));
  if (control) control->cancel();
}

void MountedCall::abort(pipe::Failure failure) {
  log(LogLevel::warning, "handlers", "a call was ended without its handler's answer",
      {{"method", method_},
       {"request_id", request_id_},
       {"peer", peer_},
       {"why", pipe::name(failure.code)}});
  end_unanswered(std::move(failure));
}

std::string MountedCall::who_is_late() const {
  return "the call's time ran out in its handler " + method_;
}

void MountedCall::cancel() { end_unanswered(std::nullopt); }

void MountedCall::consumed(std::size_t bytes) {
  if (const auto target = control()) target->consumed(bytes);
}

void MountedCall::body_data(std::string piece) {
  if (const auto target = control()) target->body_data(std::move(piece));
}

void MountedCall::body_end() {
  if (const auto target = control()) target->body_end();
}

void MountedCall::note_time(pipe::ReplyHead& head) const {
  // A target that is a dispatcher itself has told for how long the call waited there.
  const auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - received_at_);
  head.handled = std::max(took - head.queued, std::chrono::microseconds(0));
}

void MountedCall::reply(pipe::ReplyHead&& head, std::string&& body) {
  const auto sink = finish();
  if (!sink) return;
  note_time(head);
  settle(true);
  sink->reply(std::move(head), std::move(body));
}

template <class Say>
void MountedCall::say(Say what) {
  std::unique_lock lock(mutex_);
  if (!sink_) return;
  const auto sink = sink_;
  in_sink_ = true;
  lock.unlock();
  what(*sink);
  lock.lock();
  in_sink_ = false;
  auto failure = std::exchange(late_failure_, std::nullopt);
  lock.unlock();
  if (failure) sink->fail(std::move(*failure));
}

void MountedCall::begin(pipe::ReplyHead&& head) {
  note_time(head);
  say([&](pipe::ReplySink& sink) { sink.begin(std::move(head)); });
}

void MountedCall::data(std::string piece) {
  say([&](pipe::ReplySink& sink) { sink.data(std::move(piece)); });
}

void MountedCall::end() {
  const auto sink = finish();
  if (!sink) return;
  settle(true);
  sink->end();
}

void MountedCall::fail(pipe::Failure failure) {
  const auto sink = finish();
  if (!sink) return;
  settle(false);
  sink->fail(std::move(failure));
}

void MountedCall::body_consumed(std::size_t bytes) {
  std::shared_ptr<pipe::ReplySink> sink;
  {
    const std::lock_guard lock(mutex_);
    sink = sink_;
  }
  if (sink) sink->body_consumed(bytes);
}

}  // namespace rp::handlers
