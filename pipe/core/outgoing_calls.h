#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/core/flow.h"
#include "pipe/core/frame.h"
#include "pipe/core/limits.h"
#include "pipe/core/outbox.h"
#include "pipe/core/session_window.h"
#include "pipe/event.h"

namespace rp::pipe {

/// How whoever made a call names it later. Ids come again after 65,535 uses of a slot, and a caller
/// may keep its name for longer than that; the serial never comes again.
struct CallTicket {
  CallId id = 0;  ///< 0 names no call
  std::uint64_t serial = 0;
};

/// Who makes a call and hears its answer.
class Caller : public ReplySink {
 public:
  /// Instead of an answer: the session ended before the call was written, so its handler has not
  /// run. Here is the call again, with what has been given of its body; `event.body_follows` says
  /// whether the body goes on. The call may be made on another session.
  virtual void not_sent(Event&& event, std::string&& body);
};

/// The calls that this side made in one session and that somebody still waits for.
///
/// Callers are told from inside every member function and may call back into any of them.
class OutgoingCalls final : private SendStream::Listener {
 public:
  /// What the peer announced in HELLO.
  struct PeerLimits {
    std::uint32_t calls_in_flight_max = 1;
    std::uint32_t stream_window_bytes = 0;
  };

  /// All three outlive this object.
  OutgoingCalls(const Limits& limits, const PeerLimits& peer, Outbox& outbox, SessionWindow& window)
      : limits_(limits), peer_(peer), outbox_(outbox), window_(window) {}

  /// Queues the call. overloaded when a bound is reached: then the caller hears nothing, and the
  /// handler has not run. The event must have passed check().
  Result<CallTicket> call(const Event& event, std::string&& body, std::shared_ptr<Caller>&& caller,
                          Clock::time_point now);

  /// The body of an event with Event::body_follows; see CallControl.
  void body_data(CallTicket ticket, std::string&& piece);
  void body_end(CallTicket ticket);

  /// The caller has left and hears nothing more. Ignored when the call has ended.
  void cancel(CallTicket ticket);
  /// The caller is done with `bytes` of streamed reply.
  void consumed(CallTicket ticket, std::size_t bytes);

  /// Frames from the peer. not_found means that no such call is open (it may have just ended);
  /// malformed, that a head does not parse or breaks a field rule.
  enum class Outcome : std::uint8_t { ok, not_found, malformed, violation };
  Outcome on_reply(const Frame& frame);
  /// The frame's bytes have been taken from the session window; this gives them back in time.
  Outcome on_data(const Frame& frame);
  Outcome on_credit(CallId id, std::uint32_t bytes);
  Outcome on_cancel(CallId id, Failure reason);

  /// Fails what is due. Returns when to ask again.
  Clock::time_point expire(Clock::time_point now);
  Clock::time_point next_deadline() const { return next_deadline_; }

  /// Fails every call whose frame has left with session_lost, and cancels it.
  void give_up();

  /// The session is over: every call whose frame has left fails with session_lost, the others go
  /// back to their callers.
  void end_all(Clock::time_point now);

  std::size_t in_flight() const { return open_; }
  std::uint64_t made() const { return made_; }

 private:
  struct Call {
    CallId id = 0;  // 0 while the slot is free
    std::uint64_t serial = 0;
    std::shared_ptr<Caller> caller;
    Clock::time_point deadline;
    std::uint64_t written_at = 0;          // outbox position after the CALL frame
    std::unique_ptr<SendStream> request;   // a body that is not in the CALL frame
    std::unique_ptr<ReceiveWindow> reply;  // once the reply has begun to stream
    std::size_t unconsumed = 0;            // streamed bytes that the caller still holds
  };

  Call* find(CallId id);
  Call* find(CallTicket ticket);
  Call& take_slot();
  /// Ends the call: frees its slot and returns its caller, to be told what happened.
  std::shared_ptr<Caller> release(Call& call);
  void return_unsent(Clock::time_point now);
  void body_sent(CallId id, std::size_t bytes) override;
  void send_cancel(CallId id, const Failure& reason);
  void send_credit(CallId id, std::uint32_t bytes);

  const Limits& limits_;
  const PeerLimits peer_;
  Outbox& outbox_;
  SessionWindow& window_;
  std::vector<std::unique_ptr<Call>> slots_;  // by the low half of the id; entries never move
  std::vector<std::uint16_t> free_;           // last freed, first used: keeps the table small
  std::vector<std::uint16_t> generations_;    // by slot
  std::size_t open_ = 0;
  std::uint64_t made_ = 0;
  Clock::time_point next_deadline_ = Clock::time_point::max();  // no call's deadline is earlier
};

}  // namespace rp::pipe
