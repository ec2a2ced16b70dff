#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "handlers/call.h"
#include "handlers/idempotency.h"
#include "handlers/live_calls.h"
#include "handlers/sha256.h"
#include "pipe/event.h"

namespace rp::handlers {

/// The first request with an idempotency key: stands between its caller and the call that runs,
/// and keeps the answer for repetitions.
///
/// A caller that leaves does not end the call, once the request is complete: whoever repeats it
/// shall find its answer. If the call still runs then, and has not begun to answer, the repetition
/// takes the place of the caller that left.
class KeyedCall final : public pipe::ReplySink, public std::enable_shared_from_this<KeyedCall> {
 public:
  KeyedCall(std::shared_ptr<KeyWindow> window, KeyWindow::Handle entry, bool body_follows,
            std::shared_ptr<pipe::ReplySink> sink);

  /// The call that runs, before it begins.
  template <class AnyCall>
  void set_call(const std::shared_ptr<AnyCall>& call) {
    const std::lock_guard lock(mutex_);
    control_ = call;
    call_ = call;
  }

  /// What the first caller holds.
  std::shared_ptr<pipe::CallControl> control();

  /// Answers `sink` instead of the caller that has left. Null when one still waits, or the answer
  /// has begun.
  std::shared_ptr<pipe::CallControl> adopt(std::shared_ptr<pipe::ReplySink> sink);

  // ReplySink, from the call
  void reply(pipe::ReplyHead&& head, std::string&& body) override;
  void begin(pipe::ReplyHead&& head) override;
  void data(std::string piece) override;
  void end() override;
  void fail(pipe::Failure failure) override;
  void body_consumed(std::size_t bytes) override;

 private:
  class Control;
  using Sink = std::shared_ptr<pipe::ReplySink>;

  // From the caller with that number
  void cancel(std::uint64_t caller);
  void consumed(std::uint64_t caller, std::size_t bytes);
  void body_data(std::uint64_t caller, std::string piece);
  void body_end(std::uint64_t caller);

  /// The call has ended: lets go of it. The sink, if somebody waits.
  Sink finish();
  Sink sink();
  std::shared_ptr<pipe::CallControl> control_for(std::uint64_t caller);
  void remember(const pipe::ReplyHead& head, const std::string& body);
  void remember(const pipe::Failure& failure);

  const std::shared_ptr<KeyWindow> window_;
  const KeyWindow::Handle entry_;
  Sha256 body_hash_;  // of a body that follows; on the thread that sends it

  std::mutex mutex_;                            // guards what follows
  Sink sink_;                                   // null: nobody waits
  std::uint64_t caller_ = 0;                    // the number of the one who waits, or was the last
  std::shared_ptr<pipe::CallControl> control_;  // until it has ended
  std::shared_ptr<LiveCall> call_;              // the same
  bool body_open_;                              // more of it is to come
  bool begun_ = false;                          // the answer, in pieces
  std::size_t unconsumed_ = 0;                  // bytes of it in the caller's hands
};

/// A repetition whose body follows: it is compared with the first one's as it comes, and then
/// answered with the first one's answer.
class RepeatedCall final : public LiveCall, public pipe::CallControl {
 public:
  RepeatedCall(std::shared_ptr<CallContext> context, KeyWindow::Handle entry,
               const pipe::Event& event, std::shared_ptr<pipe::ReplySink> sink);
  ~RepeatedCall() override;

  void fail(pipe::Failure failure) { abort(std::move(failure)); }
  void abort(pipe::Failure failure) override;
  std::string who_is_late() const override;
  void cancel() override;
  void consumed(std::size_t) override {}
  void body_data(std::string piece) override;
  void body_end() override;

 private:
  std::shared_ptr<pipe::ReplySink> finish();

  const std::shared_ptr<CallContext> context_;
  const KeyWindow::Handle entry_;
  Sha256 body_hash_;
  std::mutex mutex_;
  std::shared_ptr<pipe::ReplySink> sink_;  // until answered
};

/// Answers a request whose key came before with what is known of the first one.
void answer_repetition(const KeyWindow::Found& found, pipe::ReplySink& sink);

}  // namespace rp::handlers
