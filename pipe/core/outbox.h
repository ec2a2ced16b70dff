#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "pipe/core/flow.h"
#include "pipe/core/frame.h"

namespace rp::pipe {

/// A body that one side sends as DATA frames. Owned by its call; known to the outbox from the
/// first push() until its last byte is out or drop().
struct SendStream {
  /// Told from inside Outbox::produce(); may push to the stream, drop it and destroy it.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void body_sent(CallId call, std::size_t bytes) = 0;
  };

  /// `head_at` is the outbox position after the frame that opened the body.
  SendStream(CallId c, std::uint8_t direction, std::uint32_t window_bytes, std::uint64_t head_at,
             Listener* l = nullptr)
      : call(c), flags(direction), window(window_bytes), after(head_at), listener(l) {}

  CallId call;
  std::uint8_t flags;  ///< frame_flag::yours for the body of a reply
  SendWindow window;
  std::uint64_t after;             ///< nothing leaves before the outbox has produced this much
  Listener* listener;              ///< may be null; outlives the stream
  std::deque<std::string> pieces;  ///< waiting; the first one from `offset` on
  std::size_t offset = 0;
  bool ended = false;     ///< no further push
  bool end_sent = false;  ///< the frame with the end flag is out
  bool queued = false;    ///< has its turn in the outbox
};

/// All frames that wait for the link, in three lanes: control frames first, then whole calls and
/// replies in order, then bodies, one DATA frame of each stream in turn. So heartbeats and small
/// calls pass between the pieces of large bodies.
class Outbox {
 public:
  explicit Outbox(std::uint32_t session_window_bytes) : session_window_(session_window_bytes) {}

  /// Control lane: takes one encoded frame.
  void push_control(std::string_view frame);
  /// Message lane: the caller appends one encoded frame.
  std::string& messages() { return messages_; }
  /// The position that produced() reaches when all that is in the message lane now is out.
  std::uint64_t messages_end() const { return produced_ + messages_.size() - messages_at_; }

  /// What waits stays unsent; only control frames pushed from now on go out: a last GOODBYE.
  void silence();
  bool silent() const { return silent_; }

  /// Body lane.
  void push(SendStream& stream, std::string piece, bool end);
  void drop(SendStream& stream);

  /// Credit from the peer, for one stream or for the session; false if it is too much.
  [[nodiscard]] bool credit(SendStream& stream, std::uint32_t bytes);
  [[nodiscard]] bool session_credit(std::uint32_t bytes);
  void set_session_window(std::uint32_t bytes) { session_window_ = SendWindow(bytes); }

  /// Appends whole frames to `out` until it holds `bytes_max` or nothing may go. One frame more
  /// than fits is possible, so a call of any size makes progress.
  void produce(std::string& out, std::size_t bytes_max);
  bool has_output() const;

  /// Bytes of the message lane that have been produced since the session began.
  std::uint64_t produced() const { return produced_; }
  /// Encoded bytes that wait, without bodies.
  std::size_t waiting_bytes() const { return control_.size() + messages_.size() - messages_at_; }
  /// Reliable frames produced so far.
  std::uint64_t reliable_frames() const { return reliable_frames_; }

  /// Gives memory of the last burst back; for quiet times.
  void release_memory();

 private:
  void produce_message(std::string& out);
  bool produce_data(std::string& out);
  void append_data(SendStream& stream, std::string& out);
  static bool has_turn(const SendStream& stream);
  bool may_send(const SendStream& stream) const;
  void enqueue(SendStream& stream);

  std::string control_;
  std::uint64_t control_reliable_ = 0;  // reliable frames in control_
  bool silent_ = false;
  std::string messages_;  // encoded CALL and REPLY frames from messages_at_ on
  std::size_t messages_at_ = 0;
  std::deque<SendStream*> turns_;  // streams with something to send and credit of their own
  SendWindow session_window_;
  std::uint64_t produced_ = 0;
  std::uint64_t reliable_frames_ = 0;
};

}  // namespace rp::pipe
