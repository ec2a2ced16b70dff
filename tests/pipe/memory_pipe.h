#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/core/session.h"
#include "tests/pipe/fakes.h"

namespace rp::pipe::test {

using namespace std::chrono_literals;

/// A frame that owns its payload, for looking at what a session sent.
struct SentFrame {
  FrameHeader header;
  std::string payload;

  FrameType type() const { return static_cast<FrameType>(header.type); }
  std::string_view head() const { return std::string_view(payload).substr(0, header.head_bytes); }
  std::string_view body() const { return std::string_view(payload).substr(header.head_bytes); }
};

/// All whole frames of `bytes`.
std::vector<SentFrame> frames(std::string_view bytes);
/// One encoded frame, valid or not.
std::string frame(FrameType type, std::uint8_t flags, CallId call, std::string_view payload,
                  std::uint16_t head_bytes = 0);

/// One session with all that surrounds it; the test moves the bytes.
class End final : private SessionOwner {
 public:
  /// A session on a link whose peer said this HELLO.
  End(Session::Side side, Limits limits, Heartbeat heartbeat, Hello peer, Clock::time_point now);

  Session& session() { return *session_; }
  /// Makes a call whose streamed reply is consumed at once, unless the test says otherwise.
  std::shared_ptr<RecordingSink> call(Event event, std::string body, Clock::time_point now,
                                      bool consume = true);
  CallTicket last_ticket() const { return last_ticket_; }
  error_code last_refusal() const { return last_refusal_; }

  /// What the session gives to the link now.
  std::string produce(Clock::time_point now, std::size_t bytes_max = 64 * 1024);
  /// Ends the session, once, for that reason.
  void end(error_code why, Clock::time_point now);
  bool ended() const { return ended_.has_value(); }
  error_code why() const { return ended_.value_or(error_code()); }

  FakeHome home;
  FakeTarget target;
  int woke = 0;
  int draining = 0;
  int pings = 0;
  std::vector<Clock::duration> pongs;
  std::function<void()> on_batch;  ///< from inside receive(); null: the batch waits

 private:
  void session_woke() override { ++woke; }
  void session_has_batch() override {
    if (on_batch) on_batch();
  }
  void session_draining(const Failure&) override { ++draining; }
  void session_pinged() override { ++pings; }
  void session_ponged(Clock::duration round_trip) override { pongs.push_back(round_trip); }

  std::optional<Session> session_;
  std::optional<error_code> ended_;
  CallTicket last_ticket_;
  error_code last_refusal_;
};

/// Two sessions joined in memory, and the clock that both live by. `dialler` calls, `acceptor`
/// answers, or the other way round.
class MemoryPipe {
 public:
  explicit MemoryPipe(Limits limits = {}, Heartbeat heartbeat = {})
      : MemoryPipe(limits, limits, heartbeat) {}
  MemoryPipe(Limits dialler_limits, Limits acceptor_limits, Heartbeat heartbeat = {});

  /// Moves bytes both ways until nothing moves any more.
  void settle();
  /// Moves time on, stopping at every moment at which a session has something to do.
  void advance(Clock::duration time);
  /// Moves one batch of about that size from `from`, which the other end gets in such pieces.
  void exchange(End& from, std::size_t bytes_max, std::size_t piece_bytes);
  /// Both sessions end without a word.
  void lose();
  /// Breaks the link: of what each end sends now, so many bytes still arrive.
  void break_link(std::size_t to_acceptor = 0, std::size_t to_dialler = 0);
  /// A new link.
  void join();
  bool joined() const { return joined_; }
  /// Bytes no longer reach that end; they are lost.
  void cut_to(End& end) { (&end == &dialler ? cut_to_dialler_ : cut_to_acceptor_) = true; }
  /// Bytes are delivered in pieces of this size from now on.
  void split(std::size_t bytes) { piece_bytes_ = bytes; }

  Clock::time_point now{std::chrono::hours(1000)};
  End dialler;
  End acceptor;
  std::size_t moved_to_acceptor = 0;  ///< bytes, all told
  std::size_t moved_to_dialler = 0;

 private:
  bool move(End& from, End& to, bool cut, std::size_t& moved);
  void deliver(End& to, std::string_view bytes);
  void finish(End& end, error_code why);

  void break_after(End& from, End& to, std::size_t bytes);

  bool joined_ = true;
  bool cut_to_dialler_ = false;
  bool cut_to_acceptor_ = false;
  std::size_t piece_bytes_ = std::size_t{64} * 1024;
};

/// One session whose peer is the test, byte by byte.
class LonePeer {
 public:
  explicit LonePeer(Session::Side side = Session::Side::acceptor, Limits limits = {},
                    Heartbeat heartbeat = {}, Hello hello = default_hello());

  static Hello default_hello();

  error_code sends(std::string_view bytes) { return end.session().receive(bytes, now); }
  /// A call of the peer, whole or with its body to follow.
  error_code sends_call(CallId id, std::string_view body = {}, bool whole = true);
  /// All that the session has to say.
  std::vector<SentFrame> says();
  /// The reason of the GOODBYE that says() must end with; 0 if it does not.
  Errc says_goodbye();

  Clock::time_point now{std::chrono::hours(1000)};
  End end;
};

/// What an end with such limits says of itself.
Hello hello_of(const Limits& limits);

/// The first id of a side's first call.
constexpr CallId kFirstId = 0x00010000;

}  // namespace rp::pipe::test
