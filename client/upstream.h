#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "node/runtime.h"
#include "pipe/core/backoff.h"
#include "pipe/pipe.h"

namespace rp::client {

/// The pipe to the server, kept open for good: dials the configured addresses in order, and after
/// every loss dials again with growing, jittered waits. A session that may be taken up is asked for
/// where it was; another one takes its place otherwise.
///
/// As an event target it is the server: events that come while there is no pipe wait for one.
class Upstream final : public pipe::EventTarget, private pipe::PipeOwner {
 public:
  /// The runtime outlives this object. All of it happens on the first I/O thread.
  explicit Upstream(node::Runtime& runtime);

  /// Begins to dial. Once.
  void start();

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

  /// Closes the pipe if the server's certificate has been revoked.
  void cut_revoked();
  void begin_drain();
  void finish_drain(pipe::Clock::time_point deadline);
  /// See node::NodeEnd::release(). Nothing else may be called afterwards.
  void release() {
    pause_.reset();
    pipe_.reset();
  }

  /// Runs `f` on the pipe's thread with the pipe, which may have no link, or null when there is no
  /// session.
  void with_pipe(std::function<void(const pipe::Pipe*)> f);

 private:
  /// What the server must be shown to go on with a session; empty where it cannot.
  struct ResumeTicket {
    std::string session_id;
    std::string secret;
  };

  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> connect_once();
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket,
                                     const node::HostPort& server);
  boost::asio::awaitable<pipe::error_code> greet(pipe::Handshake& handshake, ResumeTicket& shown);
  boost::asio::awaitable<pipe::Result<boost::asio::ip::tcp::socket>> dial(node::HostPort server);
  std::vector<node::HostPort> servers_in_order() const;
  bool settle_session(pipe::Handshake& handshake, const ResumeTicket& shown);
  pipe::Pipe::Options pipe_options();
  void attempt_failed(const node::HostPort& server, const std::string& reason);
  void link_lost(pipe::error_code why);
  void end_session(pipe::error_code why);
  void set_target(std::shared_ptr<pipe::EventTarget> target);
  std::shared_ptr<pipe::EventTarget> target() const;
  bool wait_until_ended(pipe::Clock::time_point deadline);
  void export_metrics();

  void pipe_opened(pipe::Pipe& pipe) override;
  void pipe_draining(pipe::Pipe& pipe, const pipe::Failure& reason) override;
  void pipe_expired(pipe::Pipe& pipe) override;
  bool pipe_peer_gone(pipe::Pipe& pipe) override;
  void pipe_pinged(pipe::Pipe& pipe) override;
  void pipe_ponged(pipe::Pipe& pipe, pipe::Clock::duration round_trip) override;

  node::Runtime& runtime_;
  pipe::IoThread& thread_;
  pipe::Backoff backoff_;
  std::optional<boost::asio::steady_timer> pause_;  // between attempts; until release()
  // Touched on the thread only:
  std::function<void()> stop_dialling_;   // while a name is looked up, or a socket connects
  pipe::Handshake* handshake_ = nullptr;  // the one that is under way
  std::unique_ptr<pipe::Pipe> pipe_;      // the session, with or without a link
  ResumeTicket ticket_;                   // for the pipe's next link
  std::optional<node::HostPort> home_;    // the address behind which the pipe's session is
  pipe::Clock::time_point opened_at_;     // when the pipe got its last link
  pipe::Clock::time_point lost_at_;       // when the pipe lost its last link
  pipe::error_code dialled_;              // how the last attempt to connect ended
  bool opened_ = false;                   // the present link carries the session
  handlers::PluginSet::Peer peer_;        // the server of the last pipe, as plugins know it
  pipe::Clock::time_point attempt_at_;
  bool server_leaves_ = false;              // it said so: the end of its pipe is no error
  std::chrono::milliseconds stay_away_{0};  // as the last server asked
  std::uint64_t failures_ = 0;              // since the last success
  std::optional<std::chrono::system_clock::time_point> first_failure_;
  std::atomic<bool> leaving_{false};
  std::atomic<std::uint64_t> resumes_{0};
  std::atomic<bool> detached_{false};  // there is a session, and no link
  std::vector<node::Registry::Callback> exported_;

  mutable std::mutex mutex_;                   // guards the rest
  std::shared_ptr<pipe::EventTarget> target_;  // null while there is no pipe
  std::condition_variable ended_;
  bool running_ = false;
};

}  // namespace rp::client
