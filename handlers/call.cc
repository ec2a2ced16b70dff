#include "handlers/call.h"

#include <algorithm>
#include <utility>

#include "handlers/exception_object.h"
#include "handlers/json_check.h"
#include "pipe/log.h"

namespace rp::handlers {
namespace {

using pipe::Clock;

bool has_control_byte(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

// A header that could break a response line in two must never reach a front-end (T24).
const char* what_is_wrong_with(const pipe::ReplyHead& head) {
  if (has_control_byte(head.content_type)) return "the content type holds a control byte";
  for (const auto& header : head.headers) {
    if (header.name.empty() || has_control_byte(header.name) || has_control_byte(header.value)) {
      return "a response header is empty or holds a control byte";
    }
  }
  return nullptr;
}

}  // namespace

Call::Call(std::shared_ptr<CallContext> context, pipe::Event event, std::string body,
           pipe::Origin origin, std::shared_ptr<pipe::ReplySink> sink)
    : LiveCall(event.deadline),
      context_(std::move(context)),
      event_(std::move(event)),
      body_(std::move(body)),
      origin_(std::move(origin)),
      parts_(split_noun(event_.noun)),
      invocation_{{}, event_.verb, parts_.noun, parts_.args, event_, body_, origin_, body_.size()},
      received_at_(Clock::now()),
      sink_(std::move(sink)) {}

Call::~Call() {
  context_->live.remove(*this);
  context_->gathered.give_back(gathered_bytes_);
}

const Method* Call::find_method() {
  method_ = context_->methods.find(event_.verb, parts_.noun);
  if (method_ != nullptr) {
    invocation_.method = method_->name;
    invocation_.verb = method_->verb;
  }
  return method_;
}

void Call::reply_no_such_method() {
  Lock lock(mutex_);
  const auto sink = finish();
  lock.unlock();
  settle(true, Clock::now());
  sink->reply({pipe::kCodeNoSuchMethod, "text/plain", {}}, {});
}

void Call::launch() {
  if (!has(method_->flags, Flags::blocking)) return run();
  auto self = std::static_pointer_cast<Call>(shared_from_this());
  if (!context_->pool.try_post([self = std::move(self)] { self->run(); })) {
    fail({pipe::Errc::overloaded, "too many calls wait for a worker on this node"});
  }
}

bool Call::begin_run() {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::done) return false;
    if (deadline() > now) {
      started_at_ = now;
      return true;
    }
  }
  abort({pipe::Errc::deadline_exceeded, who_is_late()});
  return false;
}

void Call::run() {
  if (!begin_run()) return;
  if (context_->observer != nullptr) context_->observer->started(method_->name);
  if (auto wrong = what_is_wrong_with_body()) {
    raise({"ValueError", std::move(*wrong), traceback_line(method_->name, event_.request_id)});
    return;
  }
  invoke();
}

std::optional<std::string> Call::what_is_wrong_with_body() const {
  if (parts_.too_many_args) {
    return "more than " + std::to_string(kArgsMax) + " arguments in the address";
  }
  if (event_.content_type != "application/json" || body_.empty()) return std::nullopt;
  const auto error = json_error(body_);
  if (!error) return std::nullopt;
  return "the request body is not valid JSON: " + *error;
}

void Call::invoke() {
  Responder responder(std::static_pointer_cast<Call>(shared_from_this()));
  try {
    method_->handler(invocation_, responder);
  } catch (...) {
    const auto exception = describe(std::current_exception(), method_->name, event_.request_id);
    raise(exception);
  }
}

std::optional<Answer> Call::refusal(Phase needed) const {
  if (phase_ == Phase::done) return gone_ ? Answer::gone : Answer::answered;
  if (phase_ != needed || in_sink_) return Answer::invalid;
  return std::nullopt;
}

Call::Sink Call::finish() {
  phase_ = Phase::done;
  return std::move(sink_);
}

void Call::note_times(pipe::ReplyHead& head, Clock::time_point now) const {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  head.queued = duration_cast<microseconds>(*started_at_ - received_at_);
  head.handled = duration_cast<microseconds>(now - *started_at_);
}

void Call::settle(bool ok, Clock::time_point now) {
  context_->live.remove(*this);
  if (arriving_) arriving_->arrived.notify_all();
  auto* const observer = context_->observer;
  if (observer == nullptr) return;
  // Read without the lock: once the call is done, nobody writes it any more.
  if (started_at_) observer->finished(method_->name, now - *started_at_, ok);
  observer->handled(now - received_at_);
}

Answer Call::reply(pipe::ReplyHead&& head, std::string&& body) {
  if (const auto* wrong = what_is_wrong_with(head)) return raise_invalid(wrong);
  Lock lock(mutex_);
  if (const auto no = refusal(Phase::waiting)) return *no;
  const auto sink = finish();
  lock.unlock();
  const auto now = Clock::now();
  note_times(head, now);
  settle(true, now);
  sink->reply(std::move(head), std::move(body));
  return Answer::ok;
}

Answer Call::raise(const Exception& exception) {
  Lock lock(mutex_);
  if (phase_ == Phase::streaming) {
    lock.unlock();
    return fail({pipe::Errc::handler_failed, exception.class_name + ": " + exception.message});
  }
  if (const auto no = refusal(Phase::waiting)) return *no;
  const auto sink = finish();
  lock.unlock();
  log(LogLevel::warning, "handlers", "a handler failed",
      {{"method", invocation_.method},
       {"request_id", event_.request_id},
       {"peer", origin_.node},
       {"class", exception.class_name},
       {"message", exception.message}});
  const auto now = Clock::now();
  pipe::ReplyHead head{pipe::kCodeException, "application/json", {}};
  note_times(head, now);
  settle(false, now);
  sink->reply(std::move(head), exception_body(exception));
  return Answer::ok;
}

Answer Call::raise_invalid(const char* what) {
  const auto answer =
      raise({"ValueError", what, traceback_line(invocation_.method, event_.request_id)});
  return answer == Answer::ok ? Answer::invalid : answer;
}

Answer Call::fail(pipe::Failure failure) {
  Lock lock(mutex_);
  if (phase_ == Phase::done || in_sink_) return *refusal(Phase::streaming);
  const auto sink = finish();
  lock.unlock();
  settle(false, Clock::now());
  sink->fail(std::move(failure));
  return Answer::ok;
}

Answer Call::begin(pipe::ReplyHead&& head) {
  if (!has(method_->flags, Flags::streaming)) {
    return raise_invalid("begin() in a method that is not registered as streaming");
  }
  if (const auto* wrong = what_is_wrong_with(head)) return raise_invalid(wrong);
  Lock lock(mutex_);
  if (const auto no = refusal(Phase::waiting)) return *no;
  phase_ = Phase::streaming;
  in_sink_ = true;
  const auto sink = sink_;
  lock.unlock();
  note_times(head, Clock::now());
  sink->begin(std::move(head));
  lock.lock();
  leave_sink(lock, sink);
  return Answer::ok;
}

Answer Call::write(std::string_view piece, std::chrono::milliseconds wait) {
  const bool waits = wait > std::chrono::milliseconds::zero();
  if (!waits && piece.size() > kPieceBytesMax) return Answer::invalid;
  const auto now = Clock::now();
  const auto longest =
      std::chrono::floor<std::chrono::milliseconds>(Clock::time_point::max() - now);
  const auto until = now + std::min(wait, longest);
  Lock lock(mutex_);
  do {
    if (waits) {
      room_or_done_.wait_until(lock, until, [this] {
        return phase_ == Phase::done || unconsumed_ < pipe::kStreamWindowBytes;
      });
    }
    const auto answer = write_piece(lock, piece.substr(0, kPieceBytesMax));
    if (answer != Answer::ok) return answer;
    piece.remove_prefix(std::min(piece.size(), kPieceBytesMax));
  } while (!piece.empty());
  return Answer::ok;
}

Answer Call::write_piece(Lock& lock, std::string_view piece) {
  if (const auto no = refusal(Phase::streaming)) return *no;
  if (piece.empty()) return Answer::ok;
  if (unconsumed_ >= pipe::kStreamWindowBytes) return Answer::would_block;
  unconsumed_ += piece.size();
  in_sink_ = true;
  const auto sink = sink_;
  lock.unlock();
  sink->data(std::string(piece));
  lock.lock();
  leave_sink(lock, sink);
  return Answer::ok;
}

void Call::leave_sink(Lock& lock, const Sink& sink) {
  in_sink_ = false;
  if (!late_failure_) return;
  auto failure = std::exchange(late_failure_, std::nullopt);
  lock.unlock();
  sink->fail(std::move(*failure));
  lock.lock();
}

Answer Call::end() {
  Lock lock(mutex_);
  if (const auto no = refusal(Phase::streaming)) return *no;
  const auto sink = finish();
  lock.unlock();
  settle(true, Clock::now());
  sink->end();
  return Answer::ok;
}

void Call::abandon() {
  writable_.clear();
  if (arriving_) arriving_->readable.clear();
  Lock lock(mutex_);
  const auto phase = phase_;
  lock.unlock();
  if (phase == Phase::waiting) {
    raise({"NoAnswer", "the handler ended without an answer",
           traceback_line(invocation_.method, event_.request_id)});
  } else if (phase == Phase::streaming) {
    fail({pipe::Errc::handler_failed, "the handler ended in the middle of its answer"});
  }
}

void Call::end_unanswered(std::optional<pipe::Failure> failure) {
  Lock lock(mutex_);
  if (phase_ == Phase::done) return;
  auto sink = finish();
  gone_ = true;
  if (failure && !started_at_) failure->has_not_run = true;
  if (in_sink_) {
    late_failure_ = std::exchange(failure, std::nullopt);
  }
  if (arriving_) arriving_->break_off();
  auto stop = stop_;
  lock.unlock();
  room_or_done_.notify_all();
  settle(false, Clock::now());
  if (failure) sink->fail(std::move(*failure));
  if (stop) stop->request_stop();
  writable_.fire();
  if (arriving_) arriving_->readable.fire();
}

void Call::abort(pipe::Failure failure) {
  log(LogLevel::warning, "handlers", "a call was ended without its handler's answer",
      {{"method", invocation_.method},
       {"request_id", event_.request_id},
       {"peer", origin_.node},
       {"why", pipe::name(failure.code)}});
  end_unanswered(std::move(failure));
}

void Call::cancel() { end_unanswered(std::nullopt); }

void Call::consumed(std::size_t bytes) {
  Lock lock(mutex_);
  const bool was_full = unconsumed_ >= pipe::kStreamWindowBytes;
  unconsumed_ -= std::min(unconsumed_, bytes);
  if (!was_full || unconsumed_ >= pipe::kStreamWindowBytes) return;
  lock.unlock();
  room_or_done_.notify_all();
  writable_.fire();
}

bool Call::has_begun() const {
  const std::lock_guard lock(mutex_);
  return started_at_.has_value();
}

bool Call::is_cancelled() const noexcept {
  const std::lock_guard lock(mutex_);
  return gone_;
}

std::stop_token Call::stop_token() {
  const std::lock_guard lock(mutex_);
  if (!stop_) {
    stop_.emplace();
    if (gone_) stop_->request_stop();  // nobody listens to it yet
  }
  return stop_->get_token();
}

void Call::on_writable(std::function<void()> callback) {
  if (!callback) return writable_.clear();
  writable_.set(std::move(callback));
  Lock lock(mutex_);
  const bool now = phase_ == Phase::done || unconsumed_ < pipe::kStreamWindowBytes;
  lock.unlock();
  if (now) writable_.fire();
}

}  // namespace rp::handlers
