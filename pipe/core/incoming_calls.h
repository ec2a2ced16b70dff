#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipe/core/flow.h"
#include "pipe/core/frame.h"
#include "pipe/core/limits.h"
#include "pipe/core/outbox.h"
#include "pipe/core/outgoing_calls.h"
#include "pipe/core/session_window.h"
#include "pipe/core/task.h"
#include "pipe/event.h"

namespace rp::pipe {

/// The peer's calls in one session: hands them to the event target, their bodies as they come, and
/// sends the answers back.
///
/// Lives on the session's home thread; targets may answer from any thread.
class IncomingCalls final : private SendStream::Listener {
 public:
  using Outcome = OutgoingCalls::Outcome;

  struct Context {
    const Limits& limits;
    Outbox& outbox;
    SessionWindow& window;
    EventTarget& target;
    HomeThread& home;
    std::function<void()> answered;  ///< output was queued outside of a received frame
    Origin origin;                   ///< who the peer is
    bool passes_on = false;          ///< the peer is a server: it may name another caller
    std::uint32_t peer_stream_window_bytes = 0;  ///< as its HELLO said
  };

  explicit IncomingCalls(Context context);
  ~IncomingCalls() override;

  /// The peer's next calls come from there.
  void set_origin(Origin origin) { context_.origin = std::move(origin); }

  /// From now on new calls are answered with `draining`.
  void drain() { draining_ = true; }

  /// Frames from the peer. not_found: no such call is open (an answer and a cancel may cross).
  Outcome on_call(const Frame& frame, Clock::time_point now);
  /// The frame's bytes have been taken from the session window; this gives them back in time.
  Outcome on_data(const Frame& frame);
  Outcome on_credit(CallId id, std::uint32_t bytes);
  Outcome on_cancel(CallId id);

  /// The session is over: handlers are told that nobody waits any more.
  void cancel_all();

  std::size_t in_flight() const { return open_; }
  std::uint64_t received() const { return received_; }

 private:
  struct Call;
  /// What an Answer keeps of its call: a peer may use an id again while a handler that it has
  /// cancelled still runs, and that handler's late answer must not reach the new call.
  struct Ticket {
    CallId id;
    std::uint64_t serial;
  };
  class Answer;   // the ReplySink that a target gets
  struct Anchor;  // how an Answer finds this object, or finds it gone

  Call* find(CallId id);
  Call* find(Ticket ticket);
  Call* open(CallId id);
  void close(Call& call);
  void refuse(CallId id, Failure failure);
  void submit(Call& call, Event&& event, std::string&& body);

  // What an Answer asks for, on the home thread.
  void reply(Ticket ticket, ReplyHead&& head, std::string&& body);
  void begin(Ticket ticket, ReplyHead head);
  void data(Ticket ticket, std::string piece, bool end);
  void fail(Ticket ticket, Failure failure);
  void body_consumed(Ticket ticket, std::size_t bytes);
  void start_stream(Call& call, ReplyHead head);
  void body_sent(CallId id, std::size_t bytes) override;

  Context context_;
  std::shared_ptr<Anchor> anchor_;
  std::vector<std::unique_ptr<Call>> slots_;  // by the low half of the id
  std::size_t open_ = 0;
  std::uint64_t received_ = 0;
  bool draining_ = false;
};

}  // namespace rp::pipe
