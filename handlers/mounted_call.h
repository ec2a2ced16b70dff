#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "handlers/call.h"
#include "handlers/live_calls.h"
#include "pipe/event.h"

namespace rp::handlers {

/// One event on its way through a mounted target and back: the target's sink, and the caller's
/// control. It changes nothing but counts, bounds and ends the call as the dispatcher does with its
/// own. Like Call, it never calls the sink under its lock or by two threads at once.
class MountedCall final : public LiveCall, public pipe::CallControl, public pipe::ReplySink {
 public:
  /// `method` is the name for metrics and the log.
  MountedCall(std::shared_ptr<CallContext> context, std::string method, const pipe::Event& event,
              const pipe::Origin& origin, std::shared_ptr<pipe::ReplySink> sink);
  ~MountedCall() override;

  /// Hands the event to `target`, unless the call has ended.
  void run(pipe::EventTarget& target, pipe::Event event, std::string body, pipe::Origin origin);

  // LiveCall
  void abort(pipe::Failure failure) override;
  std::string who_is_late() const override;
  bool has_begun() const override { return begun_; }

  // CallControl, from the caller
  void cancel() override;
  void consumed(std::size_t bytes) override;
  void body_data(std::string piece) override;
  void body_end() override;

  // ReplySink, from the target
  void reply(pipe::ReplyHead&& head, std::string&& body) override;
  void begin(pipe::ReplyHead&& head) override;
  void data(std::string piece) override;
  void end() override;
  void fail(pipe::Failure failure) override;
  void body_consumed(std::size_t bytes) override;

 private:
  using Control = std::shared_ptr<pipe::CallControl>;

  /// The sink for its last call; null when it has had that.
  std::shared_ptr<pipe::ReplySink> finish();
  void settle(bool ok);
  void end_unanswered(std::optional<pipe::Failure> failure);
  template <class Say>
  void say(Say what);
  void note_time(pipe::ReplyHead& head) const;
  Control control();

  const std::shared_ptr<CallContext> context_;
  const std::string method_;
  const std::string request_id_;
  const std::string peer_;
  const pipe::Clock::time_point received_at_ = pipe::Clock::now();

  std::atomic<bool> begun_{false};             // the target has the event
  std::mutex mutex_;                           // guards what follows
  std::shared_ptr<pipe::ReplySink> sink_;      // null once the call is done
  Control control_;                            // of the target; null before run() and once done
  bool in_sink_ = false;                       // the target's thread is inside begin() or data()
  std::optional<pipe::Failure> late_failure_;  // for that thread to deliver
};

}  // namespace rp::handlers
