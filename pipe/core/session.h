#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pipe/core/control.h"
#include "pipe/core/frame.h"
#include "pipe/core/incoming_calls.h"
#include "pipe/core/limits.h"
#include "pipe/core/outbox.h"
#include "pipe/core/outgoing_calls.h"
#include "pipe/core/session_window.h"
#include "pipe/core/task.h"
#include "pipe/event.h"

namespace rp::pipe {

/// What a session tells its owner, from inside its own members and on its home thread.
class SessionOwner {
 public:
  virtual ~SessionOwner() = default;

  /// There is output, or an earlier wake_at(), that did not come from receive() or on_time():
  /// call produce() soon.
  virtual void session_woke() = 0;
  /// HELLO has been exchanged: calls may be made.
  virtual void session_opened() = 0;
  /// The peer takes no new calls and will close when those in flight are done.
  virtual void session_draining(const Failure& reason) = 0;
  /// For metrics.
  virtual void session_pinged() = 0;
  virtual void session_ponged(Clock::duration round_trip) = 0;
  /// Every frame, in either direction, when Options::trace is set.
  virtual void session_traced(bool /*sent*/, const FrameHeader& /*header*/) {}
};

/// The relationship of two nodes: calls in both directions over one stream of bytes.
///
/// Bytes and decisions only: whoever owns it moves the bytes and tells the time. Both ends run
/// this class; they differ in who says HELLO first. Every member is called on the home thread.
///
///   session.receive(bytes, now);      // what came from the link
///   session.produce(out, max, now);   // what the link may carry
///   session.on_time(now);             // at wake_at()
///   session.end();                    // once, when there is no link any more
class Session {
 public:
  /// Who dialled says HELLO first.
  enum class Side : std::uint8_t { dialler, acceptor };

  struct Options {
    Side side = Side::dialler;
    std::string node;      ///< our name in HELLO
    std::string software;  ///< our program in HELLO
    Origin origin;         ///< who the peer is, by its certificate
    Limits limits;
    Heartbeat heartbeat;
    bool trace = false;                               ///< tell the owner of every frame
    std::chrono::milliseconds hello_timeout{10'000};  ///< from the end of the TLS handshake
  };

  struct Stats {
    std::size_t calls_out_in_flight = 0;
    std::size_t calls_in_in_flight = 0;
    std::uint64_t calls_out = 0;
    std::uint64_t calls_in = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t stray_frames = 0;
    std::chrono::microseconds round_trip{0};  ///< of the last heartbeat; 0 before the first
  };

  /// `target`, `home` and `owner` outlive the session.
  Session(Options options, EventTarget& target, HomeThread& home, SessionOwner& owner,
          Clock::time_point now);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // For the one who moves bytes -------------------------------------------------------------

  /// Takes what arrived. An error is final: send what produce() still gives (a GOODBYE that names
  /// the reason), then close the link and call end().
  error_code receive(std::string_view bytes, Clock::time_point now);
  /// Appends frames to `out` until it holds about `bytes_max`.
  void produce(std::string& out, std::size_t bytes_max, Clock::time_point now);
  bool has_output() const { return outbox_.has_output(); }
  /// A GOODBYE that ends the link waits for produce(), and nothing else.
  bool has_last_word() const { return outbox_.silent() && outbox_.has_output(); }

  /// When on_time() is due; it may become earlier after any call.
  Clock::time_point wake_at() const;
  /// Heartbeats, deadlines, acknowledgements. An error is final, as in receive().
  error_code on_time(Clock::time_point now);

  /// There is no link any more: fails the calls in flight and cancels the peer's. Idempotent.
  void end();

  /// After goodbye(drain): nothing is in flight, and the peer has all that was sent to it.
  bool drained() const;

  // For callers -----------------------------------------------------------------------------

  bool is_open() const { return state_ == State::open && !peer_leaves_; }

  /// Makes a call. Errors, after which the sink hears nothing and no handler has run:
  /// peer_unavailable (not open), draining (the peer is leaving), overloaded, malformed_frame (the
  /// event breaks a rule of the wire; check() says which). After an error `body` and `sink` are as
  /// they were.
  Result<CallTicket> call(const Event& event, std::string&& body, std::shared_ptr<ReplySink>&& sink,
                          Clock::time_point now);
  void cancel(CallTicket ticket);
  void consumed(CallTicket ticket, std::size_t bytes);

  /// Announces that this side leaves. With `drain` the calls in flight go on. An acceptor that has
  /// not seen the peer's HELLO keeps the reason for the answer to it.
  void goodbye(Failure reason, bool drain);

  Stats stats() const;
  /// The sentence behind the error that ended the session, ours or the peer's; "" for none.
  const std::string& end_detail() const { return end_detail_; }
  /// How long the peer's GOODBYE asks the dialler to stay away; 0 if it does not say.
  std::chrono::milliseconds retry_after() const { return retry_after_; }
  /// What the peer said of itself; fields are empty until the session is open.
  const Hello& peer() const { return peer_; }

 private:
  enum class State : std::uint8_t { greeting, open, ended };

  error_code on_frame(const Frame& frame);
  error_code on_call_frame(const Frame& frame);
  error_code on_hello(std::string_view payload);
  error_code on_ack(std::string_view payload);
  error_code on_goodbye(std::string_view payload);
  void on_pong(std::string_view payload);
  error_code on_stray();
  error_code judge(OutgoingCalls::Outcome outcome);
  error_code fail(Errc reason, std::string detail = {});
  void say_hello();
  void trace_sent(std::string_view frames);
  void ping();
  Clock::time_point ping_at() const;
  Clock::time_point dead_at() const;

  const Options options_;
  SessionOwner& owner_;
  State state_ = State::greeting;
  Clock::time_point now_;  // of the call that is being handled

  FrameDecoder decoder_{Limits::kFrameBytesMax};
  Outbox outbox_{0};
  SessionWindow window_{options_.limits.session_window_bytes, outbox_};
  OutgoingCalls outgoing_{options_.limits, outbox_, window_};
  IncomingCalls incoming_;

  Hello peer_;
  bool peer_leaves_ = false;
  std::chrono::milliseconds retry_after_{0};
  bool leaving_ = false;
  std::optional<Failure> refusal_;  // what the peer's HELLO is to be answered with

  std::string end_detail_;

  Clock::time_point greeting_until_;
  Clock::time_point received_at_;                           // when bytes last came
  Clock::time_point pinged_at_ = Clock::time_point::min();  // last ping sent
  std::uint64_t pings_ = 0;                                 // number of the last ping
  bool pong_awaited_ = false;
  std::chrono::microseconds round_trip_{0};

  std::uint64_t received_frames_ = 0;     // reliable ones
  std::uint64_t acknowledged_by_us_ = 0;  // of those, how many the peer knows of
  std::uint64_t acknowledged_by_peer_ = 0;
  std::size_t unacknowledged_bytes_ = 0;  // received since our last ACK
  Clock::time_point ack_at_ = Clock::time_point::max();

  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t stray_frames_ = 0;
  std::uint32_t strays_in_period_ = 0;
  Clock::time_point stray_period_until_ = Clock::time_point::min();
};

}  // namespace rp::pipe
