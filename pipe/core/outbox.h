#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "pipe/core/flow.h"
#include "pipe/core/frame.h"
#include "pipe/core/sent_log.h"

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
  std::uint64_t after;                ///< nothing leaves before the outbox has produced this much
  Listener* listener;                 ///< may be null; outlives the stream
  std::deque<SentLog::Piece> pieces;  ///< waiting; the first one from `offset` on
  std::size_t offset = 0;
  bool ended = false;     ///< no further push
  bool end_sent = false;  ///< the frame with the end flag is out
  bool queued = false;    ///< has its turn in the outbox
};

/// All frames that wait for the link, in three lanes: control frames first, then whole calls and
/// replies in order, then bodies, one DATA frame of each stream in turn. So heartbeats and small
/// calls pass between the pieces of large bodies.
///
/// Reliable frames that have left are kept until the peer acknowledges them, and leave again, in
/// the same order, on the next link.
class Outbox {
 public:
  /// `unacknowledged_bytes_max`: when so much has left without an acknowledgement, nothing reliable
  /// leaves any more until one comes.
  Outbox(std::uint32_t session_window_bytes, std::size_t unacknowledged_bytes_max)
      : unacknowledged_bytes_max_(unacknowledged_bytes_max),
        session_window_(session_window_bytes) {}

  /// Control lane: takes one encoded frame.
  void push_control(std::string_view frame);
  /// Message lane: the caller appends exactly one encoded frame to the result.
  std::string& add_message() {
    ++messages_waiting_;
    return messages_;
  }
  /// The position that produced() reaches when all that is in the message lane now is out.
  std::uint64_t messages_end() const { return produced_ + messages_.size() - messages_at_; }

  /// The encoded messages that have not left yet.
  std::string_view unsent_messages() const {
    return std::string_view(messages_).substr(messages_at_);
  }

  /// What waits stays unsent; only control frames pushed from now on go out: a last GOODBYE.
  void silence();
  bool silent() const { return silent_; }

  /// Body lane.
  void push(SendStream& stream, std::string&& piece, bool end);
  void drop(SendStream& stream);

  /// Credit from the peer, for one stream or for the session; false if it is too much.
  [[nodiscard]] bool credit(SendStream& stream, std::uint32_t bytes);
  [[nodiscard]] bool session_credit(std::uint32_t bytes);
  /// How bodies go beside messages. What is on its way stands in front of every small call.
  struct BodyPace {
    /// Bodies wait while so much is unacknowledged: no more than keeps the line busy.
    std::size_t in_flight_max;
    /// Messages leave in a batch of their own, and the next one is of bodies: then the peer has
    /// them before it must take the bodies, for the price of one more record.
    bool give_way = false;
  };
  void pace_bodies(BodyPace pace) { pace_ = pace; }
  /// Whether a body waits for that, or for the next batch.
  bool has_bodies() const { return !turns_.empty(); }
  void set_session_window(std::uint32_t bytes) { session_window_ = SendWindow(bytes); }

  /// The peer has so many of our reliable frames; false if it cannot.
  [[nodiscard]] bool acknowledge(std::uint64_t frames) { return sent_.acknowledge(frames); }
  /// The link is gone: frames that belong to it are forgotten.
  void detach() { control_.clear(); }
  /// A new link, whose peer has so many reliable frames; false if it cannot. The others leave
  /// again, before anything new.
  [[nodiscard]] bool attach(std::uint64_t frames);

  /// Appends whole frames to `out` until it holds `bytes_max` or nothing may go. One frame more
  /// than fits is possible, so a call of any size makes progress. Call it again until it appends
  /// nothing.
  void produce(std::string& out, std::size_t bytes_max);
  bool has_output() const;

  /// Bytes of the message lane that have been produced since the session began.
  std::uint64_t produced() const { return produced_; }
  /// Encoded bytes that wait, without bodies.
  std::size_t waiting_bytes() const {
    return control_.size() + credits_.size() + unsent_messages().size();
  }
  /// Reliable frames that have left, and of those the acknowledged ones.
  std::uint64_t reliable_frames() const { return sent_.sent(); }
  std::uint64_t acknowledged_frames() const { return sent_.acknowledged(); }
  std::size_t unacknowledged_bytes() const { return sent_.bytes(); }

  /// Gives memory of the last burst back; for quiet times.
  void release_memory();

 private:
  void produce_messages(std::string& out, std::size_t bytes_max);
  void produce_message(std::string& out);
  bool produce_data(std::string& out);
  bool is_paused() const { return sent_.bytes() >= unacknowledged_bytes_max_; }
  void append_data(SendStream& stream, std::string& out);
  static bool has_turn(const SendStream& stream);
  bool may_send(const SendStream& stream) const;
  void enqueue(SendStream& stream);

  const std::size_t unacknowledged_bytes_max_;
  BodyPace pace_{.in_flight_max = unacknowledged_bytes_max_};
  bool gave_way_ = false;  // the last batch had no bodies, though some waited
  std::string control_;    // frames of this link
  std::string credits_;    // reliable control frames
  std::uint64_t credits_waiting_ = 0;
  bool silent_ = false;
  std::string messages_;  // encoded CALL and REPLY frames from messages_at_ on
  std::size_t messages_at_ = 0;
  std::uint64_t messages_waiting_ = 0;
  std::deque<SendStream*> turns_;  // streams with something to send and credit of their own
  SendWindow session_window_;
  std::uint64_t produced_ = 0;
  SentLog sent_;
};

}  // namespace rp::pipe
