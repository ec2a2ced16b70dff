#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "pipe/pipe.h"
#include "pipe/resume_keys.h"
#include "server/announcements.h"
#include "server/session_store.h"

namespace rp::server {

/// What one client and this server have in common as long as its session lasts: the pipe, and what
/// the client must show to take it up on another link.
///
/// Lives on one I/O thread.
class ClientSession final : public std::enable_shared_from_this<ClientSession>,
                            private pipe::PipeOwner {
 public:
  struct Context {
    node::Runtime& runtime;
    Registry& registry;
    SessionStore& store;
    Announcements& announcements;
    std::function<void(std::uint64_t number)> ended;  ///< on the session's thread, once
  };

  /// `link` is the number of the first link, and the session's own. What `context` refers to
  /// outlives the session.
  ClientSession(Context context, pipe::IoThread& thread, std::uint64_t link, pipe::Origin peer,
                pipe::Hello hello);
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  std::uint64_t number() const { return number_; }
  /// The session's id; empty where the client cannot resume.
  std::string id() const { return keys_ ? keys_->session_id() : std::string(); }
  pipe::Pipe& pipe() { return pipe_; }

  /// Whether a link that shows `secret` may go on with this session.
  bool admits(const std::string& secret);

  /// Carries the session over its first link, or over a further one that admits() has taken, until
  /// that is lost. An earlier link that is still up is closed.
  boost::asio::awaitable<void> serve(pipe::Connection connection, std::uint64_t link,
                                     pipe::Hello hello);

  /// Ends the session now. The client is told why, unless it is away.
  void end(pipe::Failure reason);
  /// Takes no new calls from either side; ends when those in flight are done.
  void drain();

 private:
  pipe::Pipe::Options pipe_options(const std::string& client);
  void link_lost(pipe::error_code why);
  void finish(pipe::error_code why);

  void pipe_opened(pipe::Pipe& pipe) override;
  void pipe_draining(pipe::Pipe& pipe, const pipe::Failure& reason) override;
  void pipe_expired(pipe::Pipe& pipe) override;
  bool pipe_peer_gone(pipe::Pipe&) override;
  void pipe_pinged(pipe::Pipe&) override;
  void pipe_ponged(pipe::Pipe&, pipe::Clock::duration round_trip) override;

  const Context context_;
  const std::uint64_t number_;
  std::optional<pipe::ResumeKeys> keys_;
  pipe::Pipe pipe_;
  std::uint64_t newest_link_;  // number of the last link that was served
  bool announced_ = false;
  bool finished_ = false;
};

}  // namespace rp::server
