#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "pipe/core/session.h"
#include "pipe/event.h"
#include "pipe/io_thread.h"
#include "pipe/link.h"
#include "pipe/tls.h"

namespace rp::pipe {

class Pipe;

/// What a pipe tells whoever keeps it, on its I/O thread.
class PipeOwner {
 public:
  virtual ~PipeOwner() = default;

  /// TLS is done and the peer's identity verified; HELLO has not been said. An error refuses the
  /// peer, who is told the reason.
  virtual error_code pipe_admitted(Pipe& pipe) = 0;
  /// Calls may be made from now on.
  virtual void pipe_opened(Pipe& pipe) = 0;
  /// The peer takes no new calls; those in flight go on.
  virtual void pipe_draining(Pipe& pipe, const Failure& reason) = 0;
  /// For metrics.
  virtual void pipe_pinged(Pipe& pipe) = 0;
  virtual void pipe_ponged(Pipe& pipe, Clock::duration round_trip) = 0;
};

/// One connection to one peer from its TLS handshake to its end: a link with the session on it.
///
/// Lives on one I/O thread; only target() is for others. Await run() exactly once and keep the
/// object until it returns.
class Pipe final : private SessionOwner {
 public:
  struct Options {
    std::string node;      ///< our own name
    std::string software;  ///< "restpipe/0.1.0"
    Limits limits;
    Heartbeat heartbeat;
    std::chrono::milliseconds handshake_timeout{10'000};  ///< for TLS; HELLO gets as much again
    Link::Options link;
  };

  /// `host` is what the server's certificate must name; servers leave it empty. `local` answers
  /// the peer's calls. References outlive the pipe.
  Pipe(boost::asio::ip::tcp::socket socket, IoThread& thread, std::shared_ptr<const TlsContext> tls,
       const std::string& host, Options options, EventTarget& local, PipeOwner& owner);
  ~Pipe() override;

  /// The whole life of the pipe; says why it ended. detail() may say more.
  boost::asio::awaitable<error_code> run();
  const std::string& detail() const { return detail_; }

  /// Ends run() soon.
  void close(error_code why);
  /// Takes no new calls from either side. With `drain` those in flight finish first.
  void goodbye(Failure reason, bool drain);

  /// The peer as a target for events, safe from any thread. It may outlive the pipe; submitting
  /// then fails with peer_unavailable.
  std::shared_ptr<EventTarget> target() const;

  /// The peer by its certificate and address; complete from pipe_admitted() on.
  const Origin& peer() const { return peer_; }
  certs::WallTime peer_not_after() const { return peer_not_after_; }
  bool peer_revoked(const certs::Identity& identity) { return link_.tls().peer_revoked(identity); }
  const Hello* peer_hello() const { return session_ ? &session_->peer() : nullptr; }
  /// See Session::retry_after(); meant for when run() has returned.
  std::chrono::milliseconds retry_after() const {
    return session_ ? session_->retry_after() : std::chrono::milliseconds(0);
  }
  bool is_open() const { return session_ && session_->is_open(); }
  Session::Stats stats() const { return session_ ? session_->stats() : Session::Stats{}; }

 private:
  class Target;
  class Call;
  struct Anchor;  // how targets and calls find the session, or find it gone

  void session_woke() override;
  void session_opened() override;
  void session_draining(const Failure& reason) override;
  void session_pinged() override;
  void session_ponged(Clock::duration round_trip) override;
  void session_traced(bool sent, const FrameHeader& header) override;

  IoThread& thread_;
  const Options options_;
  EventTarget& local_;
  PipeOwner& owner_;
  const Session::Side side_;
  Origin peer_;
  certs::WallTime peer_not_after_{};
  Link link_;
  std::optional<Session> session_;  // from the end of the TLS handshake
  std::shared_ptr<Anchor> anchor_;
  std::string detail_;
};

}  // namespace rp::pipe
