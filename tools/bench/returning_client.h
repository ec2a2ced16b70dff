#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pipe/core/backoff.h"
#include "pipe/handshake.h"
#include "pipe/pipe.h"

/// One of many clients of a server node: as the pipe of client/upstream.h, without a node around
/// it, so that thousands fit into one process.
namespace rp::bench {

/// Told by all clients, each on its own I/O thread.
class ClientWatch {
 public:
  virtual ~ClientWatch() = default;
  virtual void came_up(bool resumed) = 0;
  virtual void went_down() = 0;
  virtual void attempt_failed() = 0;
};

/// Dials, keeps the session, and comes back after every loss with the product's own waits.
///
/// Lives on one I/O thread.
class ReturningClient final : private pipe::PipeOwner {
 public:
  struct Options {
    boost::asio::ip::tcp::endpoint server;
    boost::asio::ip::address source;  ///< a local address to come from
    std::shared_ptr<const pipe::TlsContext> tls;
  };

  /// `thread` and `watch` outlive this object.
  ReturningClient(Options options, pipe::IoThread& thread, ClientWatch& watch);

  /// Once; goes on until the thread ends.
  boost::asio::awaitable<void> run();

  /// As if the network broke: drops the link; the session waits for the next one.
  void cut();

 private:
  boost::asio::awaitable<void> connect_once();
  boost::asio::awaitable<pipe::error_code> dial(boost::asio::ip::tcp::socket& socket);
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);
  boost::asio::awaitable<pipe::error_code> greet(pipe::Handshake& handshake);
  void settle_session(pipe::Handshake& handshake);
  void link_lost(pipe::error_code why);
  void end_session(pipe::error_code why);

  void pipe_opened(pipe::Pipe& pipe) override;
  void pipe_draining(pipe::Pipe&, const pipe::Failure&) override {}
  void pipe_expired(pipe::Pipe&) override { end_session(pipe::Errc::session_lost); }
  bool pipe_peer_gone(pipe::Pipe&) override { return true; }
  void pipe_pinged(pipe::Pipe&) override {}
  void pipe_ponged(pipe::Pipe&, pipe::Clock::duration) override {}

  const Options options_;
  pipe::IoThread& thread_;
  ClientWatch& watch_;
  pipe::Backoff backoff_;
  boost::asio::steady_timer pause_;          // between attempts
  std::unique_ptr<pipe::Pipe> pipe_;         // the session, with or without a link
  std::string session_id_;                   // what a server is shown to go on with it
  std::string secret_;                       // likewise
  std::chrono::milliseconds last_pause_{0};  // before the last attempt
  std::chrono::milliseconds stay_away_{0};   // as the last server asked
  pipe::Clock::time_point opened_at_;        // when the pipe got its last link
  bool opened_ = false;                      // the present link carries the session
};

}  // namespace rp::bench
