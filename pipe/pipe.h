#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pipe/core/greeting.h"
#include "pipe/core/session.h"
#include "pipe/event.h"
#include "pipe/handshake.h"
#include "pipe/io_thread.h"
#include "pipe/link.h"

namespace rp::pipe {

class Pipe;

/// What a pipe tells whoever keeps it, on its I/O thread.
class PipeOwner {
 public:
  virtual ~PipeOwner() = default;

  /// A link carries the pipe: calls may be made from now on.
  virtual void pipe_opened(Pipe& pipe) = 0;
  /// The peer takes no new calls; those in flight go on.
  virtual void pipe_draining(Pipe& pipe, const Failure& reason) = 0;
  /// No link came within the grace: the session has ended.
  virtual void pipe_expired(Pipe& pipe) = 0;
  /// The last link was closed by the other side, and none has come since for Options::return_wait:
  /// whether the peer's process is to be taken for gone. Asked again after each such while.
  virtual bool pipe_peer_gone(Pipe& pipe) = 0;
  /// For metrics.
  virtual void pipe_pinged(Pipe& pipe) = 0;
  virtual void pipe_ponged(Pipe& pipe, Clock::duration round_trip) = 0;
};

/// The lasting relationship to one peer: its session, carried by at most one link at a time.
///
/// Lives on one I/O thread; only target() is for others.
///
///   Pipe pipe(..., hello of the first link, ...);
///   why = co_await pipe.carry(connection, frames received by the peer, our HELLO);
///   if (!pipe.is_over()) ... co_await pipe.carry(another one ...);
///   pipe.end();
class Pipe final : private SessionOwner {
 public:
  /// Takes an event that this pipe cannot send, or that may be repeated: to be answered over a
  /// later session. Called on the pipe's thread, also by targets and calls that have outlived it.
  using Returned = std::function<std::shared_ptr<CallControl>(Event event, std::string body,
                                                              std::shared_ptr<ReplySink> sink)>;

  struct Options {
    Introduction self;
    std::chrono::milliseconds handshake_timeout{10'000};  ///< for TLS; HELLO gets as much again
    /// How long the session is kept without a link. Zero: as if the peer could not resume.
    std::chrono::milliseconds session_grace{60'000};
    /// How long calls that were sent wait for a peer that closed its link to come back.
    std::chrono::milliseconds return_wait{1'500};
    Link::Options link;
    Returned returned{};  ///< null: such calls fail
  };

  /// `hello` is the peer's on the first link, `peer` who it is. `local` answers the peer's calls.
  /// References outlive the pipe.
  Pipe(Session::Side side, Origin peer, Hello hello, IoThread& thread, Options options,
       EventTarget& local, PipeOwner& owner);
  /// end() comes first, unless the whole node ends.
  ~Pipe() override;

  /// Carries the session over one more link until that is lost; says why. Our HELLO goes first
  /// where `hello` has one. A link that is up gives way; of several that come meanwhile the last
  /// one wins. protocol_violation: the peer's count cannot be; the session is over.
  boost::asio::awaitable<error_code> carry(Connection connection,
                                           std::uint64_t peer_received_frames,
                                           std::optional<Hello> hello);

  /// No further link can follow; end() is due.
  bool is_over() const { return session_.is_over(); }
  /// Ends the session: unsent calls are returned, the others fail. Closes the link. Idempotent.
  void end(error_code why);

  /// Closes the link soon; the session goes on.
  void drop_link(error_code why);
  /// Takes no new calls from either side. With `drain` those in flight finish first. Without a
  /// link the pipe is over.
  void goodbye(Failure reason, bool drain);

  /// The peer as a target for events, safe from any thread. It may outlive the pipe. Events that
  /// come while there is no link are returned.
  std::shared_ptr<EventTarget> target() const;

  /// The peer by its certificate, and the address of its last link.
  const Origin& peer() const { return peer_; }
  const Hello* peer_hello() const { return &session_.peer(); }
  /// Whether the CRL of `identity` lists the certificate on the present link.
  bool peer_revoked(const certs::Identity& identity) const {
    return link_ && link_->tls().peer_revoked(identity);
  }
  /// See Session::retry_after().
  std::chrono::milliseconds retry_after() const { return session_.retry_after(); }
  /// The sentence behind the error that ended the session or the last link; "" for none.
  const std::string& detail() const { return detail_; }

  bool is_open() const { return link_ && session_.is_open(); }
  bool has_link() const { return link_ != nullptr; }
  /// Reliable frames received so far, for our HELLO on the next link.
  std::uint64_t received_frames() const { return session_.received_frames(); }
  /// Whether the peer has sent something on the last link: then it has our HELLO.
  bool has_heard_from_peer() const {
    return session_.stats().bytes_received > bytes_received_before_;
  }
  Session::Stats stats() const { return session_.stats(); }
  std::uint64_t resumes() const { return stats().links > 0 ? stats().links - 1 : 0; }
  /// When the session began, for display.
  std::chrono::system_clock::time_point since() const { return since_; }

 private:
  class Target;
  class Call;
  struct Anchor;  // how targets and calls find the session, or find it gone

  boost::asio::awaitable<error_code> carry_now(Connection connection,
                                               std::uint64_t peer_received_frames,
                                               std::string first);
  void detached(error_code why);
  void arm_detached_timer();
  void on_detached_timer();

  void session_woke() override;
  void session_has_batch() override;
  void session_draining(const Failure& reason) override;
  void session_pinged() override;
  void session_ponged(Clock::duration round_trip) override;
  void session_traced(bool sent, const FrameHeader& header) override;

  IoThread& thread_;
  const Options options_;
  PipeOwner& owner_;
  Origin peer_;
  Session session_;
  std::shared_ptr<Anchor> anchor_;
  std::unique_ptr<Link> link_;
  std::string detail_;
  const std::chrono::system_clock::time_point since_ = std::chrono::system_clock::now();
  std::uint64_t bytes_received_before_ = 0;  // on earlier links

  std::uint64_t carriers_ = 0;                // calls of carry() so far
  boost::asio::steady_timer link_gone_;       // never expires; cancelled when a link has gone
  boost::asio::steady_timer detached_timer_;  // while there is no link
  Clock::time_point kept_until_ = Clock::time_point::max();
  Clock::time_point peer_gone_at_ = Clock::time_point::max();
};

}  // namespace rp::pipe
