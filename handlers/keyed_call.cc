#include "handlers/keyed_call.h"

#include <algorithm>
#include <utility>

namespace rp::handlers {

using pipe::Clock;
using pipe::Errc;

namespace {

/// Failures after which the handler has certainly not run.
bool proves_that_nothing_ran(Errc code) {
  switch (code) {
    case Errc::overloaded:
    case Errc::draining:
    case Errc::body_too_large:
    case Errc::not_sent:
    case Errc::forbidden:
    case Errc::peer_unavailable:
    case Errc::unknown_peer:
    case Errc::handler_unavailable:
      return true;
    default:
      return false;
  }
}

}  // namespace

/// One caller's hand on the call. Once another caller has taken its place, it does nothing.
class KeyedCall::Control final : public pipe::CallControl {
 public:
  Control(std::shared_ptr<KeyedCall> call, std::uint64_t caller)
      : call_(std::move(call)), caller_(caller) {}

  void cancel() override { call_->cancel(caller_); }
  void consumed(std::size_t bytes) override { call_->consumed(caller_, bytes); }
  void body_data(std::string piece) override { call_->body_data(caller_, std::move(piece)); }
  void body_end() override { call_->body_end(caller_); }

 private:
  const std::shared_ptr<KeyedCall> call_;
  const std::uint64_t caller_;
};

KeyedCall::KeyedCall(std::shared_ptr<KeyWindow> window, KeyWindow::Handle entry, bool body_follows,
                     Sink sink)
    : window_(std::move(window)),
      entry_(std::move(entry)),
      sink_(std::move(sink)),
      body_open_(body_follows) {}

std::shared_ptr<pipe::CallControl> KeyedCall::control() {
  return std::make_shared<Control>(shared_from_this(), 0);
}

std::shared_ptr<pipe::CallControl> KeyedCall::adopt(Sink sink) {
  const std::lock_guard lock(mutex_);
  if (sink_ || begun_ || !control_) return nullptr;
  sink_ = std::move(sink);
  return std::make_shared<Control>(shared_from_this(), ++caller_);
}

std::shared_ptr<pipe::CallControl> KeyedCall::control_for(std::uint64_t caller) {
  const std::lock_guard lock(mutex_);
  return caller == caller_ ? control_ : nullptr;
}

void KeyedCall::cancel(std::uint64_t caller) {
  std::shared_ptr<pipe::CallControl> control;
  Sink dropped;
  bool goes_on = false;
  std::size_t unconsumed = 0;
  {
    const std::lock_guard lock(mutex_);
    if (caller != caller_ || !control_) return;
    dropped = std::exchange(sink_, nullptr);
    control = control_;
    if (body_open_) {
      control_ = nullptr;
      call_ = nullptr;
    }
    goes_on = !body_open_;
    unconsumed = std::exchange(unconsumed_, 0);
  }
  if (goes_on) {
    if (unconsumed > 0) control->consumed(unconsumed);
    return;
  }
  // A request that never was complete is none.
  control->cancel();
  window_->forget(entry_);
}

void KeyedCall::consumed(std::uint64_t caller, std::size_t bytes) {
  std::shared_ptr<pipe::CallControl> control;
  {
    const std::lock_guard lock(mutex_);
    if (caller != caller_ || !sink_) return;
    unconsumed_ -= std::min(unconsumed_, bytes);
    control = control_;
  }
  if (control) control->consumed(bytes);
}

void KeyedCall::body_data(std::uint64_t caller, std::string piece) {
  const auto control = control_for(caller);
  if (!control) return;
  body_hash_.update(piece);
  control->body_data(std::move(piece));
}

void KeyedCall::body_end(std::uint64_t caller) {
  {
    const std::lock_guard lock(mutex_);
    if (caller != caller_ || !control_ || !std::exchange(body_open_, false)) return;
  }
  window_->set_body(entry_, body_hash_.finish());
  if (const auto control = control_for(caller)) control->body_end();
}

KeyedCall::Sink KeyedCall::finish() {
  std::shared_ptr<LiveCall> call;  // dropped outside of the lock
  std::shared_ptr<pipe::CallControl> control;
  const std::lock_guard lock(mutex_);
  control = std::exchange(control_, nullptr);
  call = std::exchange(call_, nullptr);
  return std::exchange(sink_, nullptr);
}

KeyedCall::Sink KeyedCall::sink() {
  const std::lock_guard lock(mutex_);
  return sink_;
}

void KeyedCall::remember(const pipe::ReplyHead& head, const std::string& body) {
  if (head.code == pipe::kCodeNoSuchMethod) return window_->forget(entry_);
  if (body.size() <= kKeptAnswerBytesMax) {
    return window_->finish(entry_, {head, body}, Clock::now());
  }
  window_->finish_without_answer(
      entry_, "it was longer than " + std::to_string(kKeptAnswerBytesMax) + " bytes", Clock::now());
}

void KeyedCall::remember(const pipe::Failure& failure) {
  std::shared_ptr<LiveCall> call;
  {
    const std::lock_guard lock(mutex_);
    call = call_;
  }
  const bool began = call && call->has_begun();
  if (!began || proves_that_nothing_ran(failure.code)) return window_->forget(entry_);
  window_->finish_without_answer(
      entry_, "it failed with " + std::string(pipe::name(failure.code)) + " after it had begun",
      Clock::now());
}

// The answer is kept before it is given: whoever has it and asks again finds it.

void KeyedCall::reply(pipe::ReplyHead&& head, std::string&& body) {
  remember(head, body);
  if (const auto sink = finish()) sink->reply(std::move(head), std::move(body));
}

void KeyedCall::begin(pipe::ReplyHead&& head) {
  Sink sink;
  {
    const std::lock_guard lock(mutex_);
    begun_ = true;
    sink = sink_;
  }
  if (sink) sink->begin(std::move(head));
}

void KeyedCall::data(std::string piece) {
  Sink sink;
  std::shared_ptr<pipe::CallControl> control;
  {
    const std::lock_guard lock(mutex_);
    sink = sink_;
    control = control_;
    if (sink) unconsumed_ += piece.size();
  }
  if (sink) return sink->data(std::move(piece));
  if (control) control->consumed(piece.size());  // so that the handler comes to its end
}

void KeyedCall::end() {
  window_->finish_without_answer(entry_, "it was streamed", Clock::now());
  if (const auto sink = finish()) sink->end();
}

void KeyedCall::fail(pipe::Failure failure) {
  remember(failure);
  if (const auto sink = finish()) sink->fail(std::move(failure));
}

void KeyedCall::body_consumed(std::size_t bytes) {
  if (const auto sink = this->sink()) sink->body_consumed(bytes);
}

RepeatedCall::RepeatedCall(std::shared_ptr<CallContext> context, KeyWindow::Handle entry,
                           const pipe::Event& event, std::shared_ptr<pipe::ReplySink> sink)
    : LiveCall(event.deadline),
      context_(std::move(context)),
      entry_(std::move(entry)),
      sink_(std::move(sink)) {}

RepeatedCall::~RepeatedCall() { context_->live.remove(*this); }

std::shared_ptr<pipe::ReplySink> RepeatedCall::finish() {
  context_->live.remove(*this);
  std::unique_lock lock(mutex_);
  auto sink = std::exchange(sink_, nullptr);
  lock.unlock();
  if (sink && context_->observer != nullptr) context_->observer->handled({});
  return sink;
}

void RepeatedCall::abort(pipe::Failure failure) {
  if (const auto sink = finish()) sink->fail(std::move(failure));
}

std::string RepeatedCall::who_is_late() const {
  return "the call's time ran out while the request's body was read";
}

void RepeatedCall::cancel() { finish(); }

void RepeatedCall::body_data(std::string piece) {
  std::shared_ptr<pipe::ReplySink> sink;
  {
    const std::lock_guard lock(mutex_);
    sink = sink_;
  }
  if (!sink) return;
  body_hash_.update(piece);
  sink->body_consumed(piece.size());
}

void RepeatedCall::body_end() {
  if (const auto sink = finish()) {
    answer_repetition(context_->keys->same(entry_, body_hash_.finish()), *sink);
  }
}

void answer_repetition(const KeyWindow::Found& found, pipe::ReplySink& sink) {
  using Verdict = KeyWindow::Verdict;
  switch (found.verdict) {
    case Verdict::in_use:
      return sink.fail({Errc::key_in_use,
                        "a request with this Idempotency-Key is still running; ask again later"});
    case Verdict::not_kept:
      return sink.fail({Errc::key_reused,
                        "the request with this Idempotency-Key has run already, and its answer was "
                        "not kept: " +
                            found.why});
    case Verdict::answered: {
      auto head = found.answer->head;
      head.headers.push_back({std::string(kReplayedHeader), "true"});
      return sink.reply(std::move(head), std::string(found.answer->body));
    }
    case Verdict::first:
    case Verdict::compare_body:
    case Verdict::other_request:
      break;
  }
  sink.fail({Errc::key_reused,
             "this Idempotency-Key came before with another request: the verb, the noun, the "
             "query, the content type or the body differs"});
}

}  // namespace rp::handlers
