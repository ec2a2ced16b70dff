#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "handlers/arriving_body.h"
#include "handlers/byte_budget.h"
#include "handlers/callback_slot.h"
#include "handlers/dispatcher.h"
#include "handlers/idempotency.h"
#include "handlers/live_calls.h"
#include "handlers/method_table.h"
#include "handlers/noun.h"
#include "handlers/responder.h"
#include "handlers/worker_pool.h"
#include "pipe/event.h"

namespace rp::handlers {

/// What the calls of one dispatcher share. Outlives them, by shared ownership.
struct CallContext {
  CallContext(const DispatcherOptions& o, DispatchObserver* heard_by)
      : options(o),
        live(o.in_flight_max),
        gathered(o.gathered_bytes_max),
        pool(o.workers, o.queued_max),
        keys(std::make_shared<KeyWindow>(
            KeyWindow::Limits{o.idempotency_window, o.idempotency_bytes_max})),
        observer(heard_by) {}

  const DispatcherOptions options;
  MethodTable methods;
  LiveCalls live;
  ByteBudget gathered;  // bodies that followed their events
  WorkerPool pool;
  const std::shared_ptr<KeyWindow> keys;
  DispatchObserver* const observer;  // may be null
};

/// One event on its way to one answer.
///
/// Three sides meet here: the handler that answers (Responder), the caller that cancels and
/// consumes (CallControl), and the clock (LiveCalls). Whoever first moves the call to `done` speaks
/// to the sink last; the sink is never called under the lock, nor by two threads at once.
class Call final : public LiveCall, public pipe::CallControl {
 public:
  Call(std::shared_ptr<CallContext> context, pipe::Event event, std::string body,
       pipe::Origin origin, std::shared_ptr<pipe::ReplySink> sink);
  ~Call() override;

  /// The method that the event names; null when there is none.
  const Method* find_method();

  /// Answers for an event whose method does not exist.
  void reply_no_such_method();

  /// Once, when the call has a method: decides what becomes of its body.
  void expect_body();

  /// Begins the handler of find_method(), on this thread or on a worker; once the body is there,
  /// for a method that takes it whole.
  void start();

  // What Responder says, see there.
  const Invocation& invocation() const noexcept { return invocation_; }
  Answer reply(pipe::ReplyHead&& head, std::string&& body);
  Answer raise(const Exception& exception);
  Answer fail(pipe::Failure failure);
  Answer begin(pipe::ReplyHead&& head);
  Answer write(std::string_view piece, std::chrono::milliseconds wait);
  Answer end();
  void abandon();
  bool is_cancelled() const noexcept;
  std::stop_token stop_token();
  void on_writable(std::function<void()> callback);
  BodyRead read(char* to, std::size_t size, std::chrono::milliseconds wait);
  void on_readable(std::function<void()> callback);

  // LiveCall and CallControl
  void abort(pipe::Failure failure) override;
  std::string who_is_late() const override;
  bool has_begun() const override;
  pipe::Clock::time_point good_until(pipe::Clock::time_point now) const noexcept override;
  void cancel() override;
  void consumed(std::size_t bytes) override;
  void body_data(std::string piece) override;
  void body_end() override;

 private:
  enum class Phase { waiting, streaming, done };
  using Lock = std::unique_lock<std::mutex>;
  using Sink = std::shared_ptr<pipe::ReplySink>;

  void launch();
  void run();
  bool begin_run();
  void invoke();
  std::optional<std::string> what_is_wrong_with_body() const;

  /// Why an answer of this kind cannot go out now; none when it can.
  std::optional<Answer> refusal(Phase needed) const;
  /// The last step of the sink: marks the call done and hands the sink over.
  Sink finish();
  /// Bookkeeping of a call that has just been finished; without the lock.
  void settle(bool ok, pipe::Clock::time_point now);
  /// Notes in `head` where the time went, until `now`.
  void note_times(pipe::ReplyHead& head, pipe::Clock::time_point now) const;
  void end_unanswered(std::optional<pipe::Failure> failure);
  Answer write_piece(Lock& lock, std::string_view piece);
  void leave_sink(Lock& lock, const Sink& sink);
  Answer raise_invalid(const char* what);

  std::optional<pipe::Failure> gather(std::string_view piece);
  std::optional<pipe::Failure> queue(std::string piece);

  const std::shared_ptr<CallContext> context_;
  const pipe::Event event_;
  std::string body_;  // changes only before the handler begins
  const pipe::Origin origin_;
  const NounParts parts_;  // views into event_.noun
  const Method* method_ = nullptr;
  Invocation invocation_;  // views into the members above
  const pipe::Clock::time_point received_at_;
  // Of a body that follows, or is read; set before anybody else knows the call, then kept.
  std::unique_ptr<ArrivingBody> arriving_;
  std::size_t gathered_bytes_ = 0;  // taken from the context's budget

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable room_or_done_;
  Phase phase_ = Phase::waiting;
  bool gone_ = false;                          // done because nobody waits any more
  bool in_sink_ = false;                       // a thread is inside the sink's begin() or data()
  Sink sink_;                                  // until done
  std::optional<pipe::Failure> late_failure_;  // for the thread inside the sink to deliver
  std::size_t unconsumed_ = 0;                 // bytes of the stream in the caller's hands
  std::optional<pipe::Clock::time_point> started_at_;
  std::optional<std::stop_source> stop_;  // made when asked for: most handlers never do

  CallbackSlot writable_;
};

}  // namespace rp::handlers
