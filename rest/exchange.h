#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "pipe/event.h"
#include "rest/request.h"
#include "rest/response.h"

namespace rp::rest {

class Mailbox;

/// One request and the answer that it is owed.
///
/// Every member is safe from any thread. Exactly one of these orders answers it: respond() alone;
/// or begin(), any number of write(), end(); abort() may come instead of any next step. What comes
/// too late (after the answer is complete, or after the client has left) is ignored, so nobody has
/// to ask first. When the last pointer goes without an answer, the client gets a 500.
///
/// A client that has left is noticed while it waits: on_disconnect() fires once, within
/// milliseconds of its FIN or RST. TCP cannot tell close() from shutdown(SHUT_WR), since both send
/// a FIN; so a FIN that follows a complete request within `half_close_grace` (50 ms) leaves the
/// answer as long to become complete, and what is complete is still delivered. Clients that
/// half-close after sending, such as `nc -N`, are thus served when the answer is quick. A FIN that
/// comes later is a leave, at once. A client that pipelines more than the
/// kernel buffers beyond `pipelined_bytes_max` hides its own FIN behind the bytes nobody reads yet.
class Exchange final : public std::enable_shared_from_this<Exchange> {
 public:
  /// Made by the server only: `mailbox` leads to the thread of connection `fd`, whose life-long
  /// number is `connection_id`.
  Exchange(Request request, std::shared_ptr<Mailbox> mailbox, int fd, std::uint64_t connection_id);
  /// The same for a request whose body follows.
  void let_body_follow(std::optional<std::uint64_t> body_bytes);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Constant but for take_body(), which its one consumer calls at most once.
  const Request& request() const { return request_; }

  /// When the request's head was complete.
  pipe::Clock::time_point received_at() const { return received_at_; }
  void set_received_at(pipe::Clock::time_point at) { received_at_ = at; }

  /// The request's body comes piece by piece: take_body() gives nothing.
  bool body_follows() const { return body_follows_; }
  /// The whole length of a body that follows, where the client said it.
  std::optional<std::uint64_t> body_bytes() const { return body_bytes_; }
  /// Set once, for a body that follows, before the handler returns: called on the connection's
  /// thread with each piece and after the last. A body that breaks off ends in on_disconnect().
  void on_body(std::function<void(std::string)> data, std::function<void()> end);
  /// `bytes` of it are out of the handler's hands. While pipe::kStreamWindowBytes are not, the
  /// client is not read from.
  void body_consumed(std::size_t bytes);
  std::string take_body() { return request_.take_body(); }

  /// A whole answer.
  void respond(Response response);

  /// An answer whose body follows in pieces: chunked for HTTP/1.1, ended by close for HTTP/1.0. A
  /// Content-Length header given here is honoured instead of chunking, and then binding: a body
  /// that ends short or goes beyond closes the connection.
  void begin(ResponseHead head);
  /// False when the piece was dropped: the client has left, or more than
  /// Limits::stream_bytes_max is waiting for it, which cuts the client off as well: on_disconnect()
  /// then fires on this thread.
  bool write(std::string piece);
  void end();

  /// Breaks the answer off so that the client notices: before begin() a 500, later the connection
  /// closes without the end of the body.
  void abort();

  /// Set once, before or after the fact: called at most once, on the connection's thread or, when
  /// the client has left already, at once on this thread. Not called when the answer is complete
  /// first; called as well when a stream is cut off for breaking its bounds or its Content-Length.
  /// It runs without a lock held and may call any member.
  void on_disconnect(std::function<void()> callback);

  /// Set once: told how many further bytes of written pieces have been handed to the socket, on the
  /// connection's thread; what was flushed earlier is told at once, on this thread. While the
  /// client stays and this exchange lives, the sum over a stream becomes what was written.
  void on_flushed(std::function<void(std::size_t)> callback);

  /// The connection that waits for the answer, for the transport.
  int fd() const { return fd_; }
  std::uint64_t connection_id() const { return connection_id_; }

  bool disconnected() const { return disconnected_.load(std::memory_order_acquire); }

 private:
  friend class Connection;

  enum class State : std::uint8_t { waiting, streaming, complete, aborted };

  /// What the connection's thread takes in one go.
  struct Outbox {
    std::optional<Response> response;
    std::optional<ResponseHead> head;
    std::string pieces;  ///< consecutive pieces, joined: fewer chunks and fewer system calls
    bool ended = false;
    bool aborted = false;
  };

  /// For the connection: a piece of the body, or its end; and how many bytes may still come.
  void give_body(std::string piece);
  void end_body();
  std::size_t body_room();
  /// Nothing more of the body will be given. What was to hear of it may own this exchange, so it is
  /// not kept.
  void forget_body();

  void schedule(std::unique_lock<std::mutex> lock);
  Outbox take_outbox();
  void notify_disconnect();
  void notify_flushed(std::size_t bytes);
  void forget_callbacks();

  Request request_;
  pipe::Clock::time_point received_at_{};
  bool body_follows_ = false;
  std::optional<std::uint64_t> body_bytes_;
  std::function<void(std::string)> on_body_data_;  ///< these two on the connection's thread only
  std::function<void()> on_body_end_;
  const std::shared_ptr<Mailbox> mailbox_;
  const int fd_;
  const std::uint64_t connection_id_;

  std::mutex mutex_;                 ///< guards everything below
  std::size_t body_unconsumed_ = 0;  ///< of the pieces given
  bool body_wanted_ = false;         ///< the connection waits for room
  State state_ = State::waiting;
  bool scheduled_ = false;  ///< on its way through the mailbox; cleared by take_outbox()
  Outbox outbox_;
  std::size_t unsent_bytes_ = 0;  ///< written and not yet flushed
  const std::size_t unsent_bytes_max_;
  std::size_t untold_bytes_ = 0;  ///< flushed before on_flushed() was set
  bool silent_ = false;           ///< nothing is left to call back about
  std::function<void()> on_disconnect_;
  std::function<void(std::size_t)> on_flushed_;
  std::atomic<bool> disconnected_{false};
};

}  // namespace rp::rest
