#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pipe/event.h"
#include "rest/arrival.h"
#include "rest/exchange.h"
#include "rest/gate.h"
#include "rest/guard.h"
#include "rest/mailbox.h"
#include "rest/outbound.h"
#include "rest/problem.h"
#include "rest/response_writer.h"
#include "rest/router.h"
#include "rest/stats.h"

namespace rp::rest {

class Connection;

/// What a connection needs of the thread that it lives on.
class TransportPort {
 public:
  TransportPort(const Limits& its_limits, const Guard& its_guard, const Handler& its_handler,
                const Gate::Streams& its_streams_body, Stats& its_stats,
                std::shared_ptr<Mailbox> its_mailbox)
      : limits(its_limits),
        guard(its_guard),
        handler(its_handler),
        streams_body(its_streams_body),
        stats(its_stats),
        mailbox(std::move(its_mailbox)) {}
  virtual ~TransportPort() = default;

  const Limits& limits;
  const Guard& guard;
  const Handler& handler;
  const Gate::Streams& streams_body;
  Stats& stats;
  const std::shared_ptr<Mailbox> mailbox;
  DateLine date;
  pipe::Clock::time_point now = pipe::Clock::now();  ///< when the current round of events began
  bool draining = false;

  /// Flushes at the end of the current step.
  virtual void flush_soon(Connection& connection) = 0;
  /// Closes the descriptor at the end of the current step.
  virtual void close_soon(Connection& connection) = 0;
  /// Reads on at the start of the next round.
  virtual void read_soon(Connection& connection) = 0;
  /// From now on the owner calls on_writable() when the socket takes bytes again.
  virtual void watch_writable(Connection& connection) = 0;
  /// Calls sweep() once `half_close_grace` has passed.
  virtual void sweep_after_grace(Connection& connection) = 0;
};

/// One HTTP connection: bytes in, requests through the gate and the guard, one of them in flight at
/// a time, answers out. Lives on one thread; knows its descriptor only to write to it.
class Connection {
 public:
  Connection(TransportPort& port, int fd, std::uint64_t id, Arrival arrival);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }
  std::uint64_t id() const { return id_; }

  enum class Reading : std::uint8_t {
    go_on,  ///< read what else the socket has
    yield,  ///< enough for one round: others wait as well
    pause,  ///< until read_soon(): the answer in progress comes first
  };
  /// Takes what was received.
  Reading on_input(std::string_view bytes);
  bool reading_paused() const { return reading_paused_; }
  /// Starts a new round of reading.
  void begin_round() { round_bytes_ = 0; }

  /// The client closed its side (`fully` when it is known to have left altogether). True when the
  /// connection stays for an answer that is still owed.
  bool on_end_of_input(bool fully);
  void on_writable();

  /// Takes what `exchange` has to say.
  void deliver(Exchange& exchange);
  bool waits_for(const Exchange& exchange) const { return current_raw_ == &exchange; }
  /// The exchange in flight was dropped unanswered.
  void on_orphan();

  void flush();
  /// Enforces the deadlines.
  void sweep();
  void begin_drain();
  /// The descriptor is about to close; the exchange in flight hears of it.
  void on_closed();

 private:
  enum class Phase : std::uint8_t {
    open,       ///< reads requests
    finishing,  ///< the last answer is queued; input is dropped
    lingering,  ///< it is sent; waits for the client to close, input is dropped
    closing,    ///< close_soon() has been called
  };
  /// Stands in the outbound stream where so many bytes of pieces end.
  struct FlushMark {
    std::uint64_t at;
    std::size_t bytes;
    bool last;
    std::weak_ptr<Exchange> exchange;
  };

  bool busy() const { return current_raw_ != nullptr; }
  bool has_pending() const { return pending_at_ < pending_.size(); }
  bool may_go_on() const;
  bool fin_is_late() const;
  void work_on(std::string_view& input);
  bool on_head(std::string_view rest);
  bool on_complete();
  void set_request(Request request);
  void dispatch();
  void work_on_pending();

  // A body that follows its request (connection_upload.cc).
  bool is_long_body() const;
  void begin_upload();
  bool work_on_upload(std::string_view& input);
  void hand_over_body(Exchange& exchange);
  void break_upload(const Problem& problem);
  void sweep_upload();

  bool account_body();
  void release_body();
  Reading keep_for_later(std::string_view bytes);
  Reading drop(std::string_view bytes);

  void answer_problem(const Problem& problem, const Request* request);
  void answer_and_finish(const Response& response);
  void write_response(Response response);
  void begin_stream(ResponseHead& head);
  void write_pieces(Exchange& exchange, std::string pieces);
  void end_stream(Exchange& exchange);
  void break_off();
  void finish_answer();
  void finish();
  void linger();
  void close_now();
  void report_flushed();
  void count_response(int status);

  TransportPort& port_;  // outlives the connection
  const int fd_;
  const std::uint64_t id_;
  const Remote remote_;
  const std::string local_address_;

  Gate gate_;
  Request request_;             ///< complete, on its way to dispatch()
  std::string pending_;         ///< received behind the request in flight ...
  std::size_t pending_at_ = 0;  ///< ... from here on; what is before has been used
  Outbound outbound_;
  std::deque<FlushMark> marks_;
  std::weak_ptr<Exchange> current_;
  const Exchange* current_raw_ = nullptr;  ///< only compared, never followed

  Phase phase_ = Phase::open;
  bool reading_paused_ = false;
  bool input_ended_ = false;
  bool writable_watched_ = false;
  bool reset_on_close_ = false;

  bool uploading_ = false;                ///< the body of the request in flight is still coming
  bool upload_waits_for_us_ = false;      ///< its handler has enough for now
  pipe::Clock::time_point upload_since_;  ///< when something of it came last

  // The answer in progress.
  bool head_request_ = false;
  bool keep_alive_ = true;
  int minor_version_ = 1;
  std::string page_lines_;  ///< what the page that asked is told
  bool head_sent_ = false;
  BodyForm form_ = BodyForm::counted;
  std::uint64_t counted_left_ = 0;  ///< of a streamed body with Content-Length

  std::size_t round_bytes_ = 0;          ///< read since begin_round()
  std::size_t dropped_bytes_ = 0;        ///< received after the last answer
  std::size_t body_accounted_ = 0;       ///< this connection's share of Stats::body_bytes_buffered
  pipe::Clock::time_point phase_since_;  ///< start of head, body, idleness or lingering
  /// Since when the socket has taken nothing, while something waits for it.
  std::optional<pipe::Clock::time_point> stalled_since_;
  pipe::Clock::time_point input_at_;  ///< when bytes came last
  pipe::Clock::time_point input_ended_at_;
};

}  // namespace rp::rest
