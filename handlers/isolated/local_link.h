#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "handlers/trusted_file.h"
#include "pipe/core/session.h"
#include "pipe/io_thread.h"

namespace rp::handlers {

/// Carries a session over a connected Unix socket between two processes of one machine: one link
/// for the session's whole life.
///
/// Lives on one I/O thread. Held by shared_ptr: pending operations keep it, not the session.
class LocalLink final : public std::enable_shared_from_this<LocalLink> {
 public:
  /// `why` is link_lost when the other process has closed, heartbeat_missed when it does not
  /// answer, or what it did wrong.
  using Ended = std::function<void(pipe::error_code why)>;

  LocalLink(FileDescriptor socket, pipe::IoThread& thread);
  LocalLink(const LocalLink&) = delete;
  LocalLink& operator=(const LocalLink&) = delete;

  /// Begins with an attached session, which stays until the link has ended or close(). `ended` runs
  /// once, unless close() comes first; nothing of the session is touched after it.
  void start(pipe::Session& session, Ended ended);

  /// The session has output, or an earlier wake_at(), of which the link does not know yet.
  void wake();

  /// The other process has ended: gives the session what it had written before.
  void receive_rest();

  /// Sends what the socket takes at once, and closes it.
  void close();

 private:
  void on_readable();
  bool receive(std::size_t reads_max);
  void flush();
  bool send(std::string_view bytes, std::size_t& sent);
  void arm_read();
  void arm_write();
  void arm_timer();
  void on_time();
  void end(pipe::error_code why);

  pipe::IoThread& thread_;
  boost::asio::local::stream_protocol::socket socket_;
  boost::asio::steady_timer timer_;
  pipe::Session* session_ = nullptr;  // null before start() and after the end
  Ended ended_;
  std::string unsent_;  // frames that the socket did not take yet
  pipe::Clock::time_point timer_at_ = pipe::Clock::time_point::max();
  pipe::Clock::time_point doubted_until_ = pipe::Clock::time_point::max();
  bool read_armed_ = false;
  bool write_armed_ = false;
  bool wake_posted_ = false;
  bool busy_ = false;  // inside a callback, which flushes at its end
};

}  // namespace rp::handlers
