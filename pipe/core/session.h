#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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
  /// In the midst of receive(): so much output has come together that the peer may begin with it
  /// while the rest of the input is worked on. produce() may be called at once.
  virtual void session_has_batch() {}
  /// The peer takes no new calls and will close when those in flight are done.
  virtual void session_draining(const Failure& reason) = 0;
  /// For metrics.
  virtual void session_pinged() = 0;
  virtual void session_ponged(Clock::duration round_trip) = 0;
  /// Every frame, in either direction, when Options::trace is set.
  virtual void session_traced(bool /*sent*/, const FrameHeader& /*header*/) {}
};

/// The relationship of two nodes: calls in both directions over one stream of bytes, which goes on
/// on another link when one breaks.
///
/// Bytes and decisions only: whoever owns it exchanges HELLO, moves the bytes and tells the time.
/// Both ends run this class. Every member is called on the home thread.
///
///   session.attach(hello.received_frames, now);   // a link whose peer has said HELLO
///   session.receive(bytes, now);                  // what came from the link
///   session.produce(out, max, now);               // what the link may carry
///   session.on_time(now);                         // at wake_at()
///   session.detach(now);                          // the link broke: another may come
///   session.end(now);                             // once, when none will
class Session {
 public:
  enum class Side : std::uint8_t { dialler, acceptor };

  struct Options {
    Side side = Side::dialler;
    Origin origin;  ///< who the peer is, by its certificate
    Limits limits;
    Heartbeat heartbeat;
    bool trace = false;  ///< tell the owner of every frame
  };

  struct Stats {
    std::size_t calls_out_in_flight = 0;
    std::size_t calls_in_in_flight = 0;
    std::uint64_t calls_out = 0;
    std::uint64_t calls_in = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t stray_frames = 0;
    std::uint64_t links = 0;                  ///< attached so far
    std::size_t unacknowledged_bytes = 0;     ///< kept for another link
    std::chrono::microseconds round_trip{0};  ///< of the last heartbeat; 0 before the first
  };

  /// `peer` is the HELLO of the first link; its limits hold for the whole session. `target`, `home`
  /// and `owner` outlive the session.
  Session(Options options, Hello peer, EventTarget& target, HomeThread& home, SessionOwner& owner,
          Clock::time_point now);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // For the one who moves bytes -------------------------------------------------------------

  /// A link carries the session from now on; its peer has said in HELLO that it received so many
  /// reliable frames. The others are sent again. protocol_violation: the number cannot be; the
  /// session is over. Precondition: not attached, and not over.
  error_code attach(std::uint64_t peer_received_frames, Clock::time_point now);
  /// The peer has come from another address: its next calls have this origin.
  void set_origin(Origin origin) { incoming_.set_origin(std::move(origin)); }
  /// The link is gone. Calls stay open and answers are kept; what had arrived of an unfinished
  /// frame is forgotten. After a GOODBYE of either side the session is over instead.
  void detach(Clock::time_point now);
  bool is_attached() const { return attached_; }
  /// Reliable frames received so far, for our HELLO on the next link.
  std::uint64_t received_frames() const { return received_frames_; }

  /// Takes what arrived. After an error send what produce() still gives (a GOODBYE that names the
  /// reason, if there is one), then close the link. is_over() says whether another may follow.
  error_code receive(std::string_view bytes, Clock::time_point now);
  /// Appends frames to `out` until it holds about `bytes_max`.
  void produce(std::string& out, std::size_t bytes_max, Clock::time_point now);
  bool has_output() const { return outbox_.has_output(); }
  /// Bodies wait to be sent.
  bool has_bodies() const { return outbox_.has_bodies(); }
  /// Bytes of calls and replies, without bodies that follow them, handed to all links so far.
  std::uint64_t message_bytes() const { return outbox_.produced(); }
  /// How bodies go beside calls; without limit, and giving no way, until it is first said.
  void pace_bodies(Outbox::BodyPace pace) { outbox_.pace_bodies(pace); }
  /// A GOODBYE that ends the session waits for produce(), and nothing else.
  bool has_last_word() const { return outbox_.silent() && outbox_.has_output(); }

  /// When on_time() is due, attached or not; it may become earlier after any call.
  Clock::time_point wake_at() const;
  /// Heartbeats, deadlines, acknowledgements. An error as in receive(); heartbeat_missed means that
  /// the link is dead, not the session.
  error_code on_time(Clock::time_point now);

  /// The peer's process seems gone, though a link may follow still: calls that were sent fail with
  /// session_lost, and are cancelled in case the peer comes back. The others wait.
  void give_up(Clock::time_point now);

  /// No link may follow: a GOODBYE was said, or the peer broke the rules. Call end().
  bool is_over() const { return over_; }
  /// Ends the calls in flight, and cancels the peer's. Idempotent.
  void end(Clock::time_point now);

  /// After goodbye(drain): nothing is in flight, and the peer has all that was sent to it.
  bool drained() const;

  // For callers -----------------------------------------------------------------------------

  bool is_open() const { return attached_ && !over_ && !leaving_ && !peer_leaves_; }

  /// Makes a call. Errors, after which the caller hears nothing and no handler has run:
  /// peer_unavailable (not attached), draining (a side is leaving), overloaded, malformed_frame
  /// (the event breaks a rule of the wire; check() says which). After an error `body` and `caller`
  /// are as they were.
  Result<CallTicket> call(const Event& event, std::string&& body, std::shared_ptr<Caller>&& caller,
                          Clock::time_point now);
  void body_data(CallTicket ticket, std::string&& piece);
  void body_end(CallTicket ticket);
  void cancel(CallTicket ticket);
  void consumed(CallTicket ticket, std::size_t bytes);

  /// Announces that this side leaves. With `drain` the calls in flight go on. Without, or while no
  /// link is attached, the session is over.
  void goodbye(Failure reason, bool drain);

  Stats stats() const;
  /// The sentence behind the error that ended the session, ours or the peer's; "" for none.
  const std::string& end_detail() const { return end_detail_; }
  /// How long the peer's GOODBYE asks the dialler to stay away; 0 if it does not say.
  std::chrono::milliseconds retry_after() const { return retry_after_; }
  /// What the peer said of itself on the first link.
  const Hello& peer() const { return peer_; }

 private:
  error_code on_frame(const Frame& frame);
  error_code on_call_frame(const Frame& frame);
  error_code on_ack(std::string_view payload);
  error_code on_goodbye(std::string_view payload);
  void on_pong(std::string_view payload);
  error_code on_stray();
  error_code judge(OutgoingCalls::Outcome outcome);
  error_code fail(Errc reason, std::string detail = {});
  void woke() {
    if (attached_) owner_.session_woke();
  }
  void acknowledge_if_due();
  void trace_sent(std::string_view frames);
  void ping();
  Clock::time_point ping_at() const;
  Clock::time_point dead_at() const;

  const Options options_;
  const Hello peer_;
  SessionOwner& owner_;
  Clock::time_point now_;  // of the call that is being handled

  bool attached_ = false;
  bool over_ = false;
  bool ended_ = false;
  bool peer_leaves_ = false;
  bool leaving_ = false;
  std::chrono::milliseconds retry_after_{0};
  std::string end_detail_;

  FrameDecoder decoder_{Limits::kFrameBytesMax};
  Outbox outbox_;
  SessionWindow window_{options_.limits.session_window_bytes, outbox_};
  OutgoingCalls outgoing_;
  IncomingCalls incoming_;

  // Of this link.
  Clock::time_point received_at_;                           // when bytes last came
  Clock::time_point pinged_at_ = Clock::time_point::min();  // last ping sent
  bool pong_awaited_ = false;
  std::uint64_t acknowledged_by_us_ = 0;  // received frames that the peer knows of
  std::size_t unacknowledged_bytes_ = 0;  // received since our last ACK
  Clock::time_point ack_at_ = Clock::time_point::max();

  std::uint64_t received_frames_ = 0;  // reliable ones
  std::uint64_t pings_ = 0;            // number of the last ping
  std::chrono::microseconds round_trip_{0};
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t links_ = 0;
  std::uint64_t stray_frames_ = 0;
  std::uint32_t strays_in_period_ = 0;
  Clock::time_point stray_period_until_ = Clock::time_point::min();
};

}  // namespace rp::pipe
