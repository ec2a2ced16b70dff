#pragma once

#include <array>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pipe/core/session.h"
#include "pipe/handshake.h"
#include "pipe/io_thread.h"
#include "pipe/tls.h"

namespace rp::pipe {

/// One TLS connection, from its HELLOs on: carries a session until either ends.
///
/// Lives on one I/O thread, in plain callbacks. All that is queued while a write is under way
/// leaves together, in records as full as they get and one send.
class Link {
 public:
  struct Options {
    /// Longest time in which the peer takes nothing of what waits for it.
    std::chrono::milliseconds write_timeout{30'000};
    /// TCP_USER_TIMEOUT: sent bytes that stay unacknowledged this long break the connection.
    std::chrono::milliseconds user_timeout{15'000};
  };

  Link(Connection connection, IoThread& thread, Options options);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Carries the session, which outlives the wait; says why it ended. `first` goes out before what
  /// the session has to say: our HELLO, where it is not out yet. Await it once. When it returns the
  /// socket is closed and nothing refers to this object any more.
  boost::asio::awaitable<error_code> carry(Session& session, std::string_view first);

  /// The session has output, or an earlier wake_at(), of which the link does not know yet.
  void wake();
  /// The session has a batch to send, in the midst of taking what this link brought.
  void send_batch();
  /// Ends carry() with `why`. A GOODBYE of the session gets a second to reach the
  /// peer.
  void close(error_code why);

  TlsEngine& tls() { return *tls_; }

 private:
  // An idle link waits with a read of its own instead of waiting for readiness, which would cost a
  // system call each time. So much comes with it: a small call, whole. What is longer is read into
  // the thread's buffer.
  static constexpr std::size_t kFirstBytes = 1024;

  void begin(std::string_view first);
  bool receive(std::size_t received);
  bool take(std::string_view plain);
  bool decrypt();
  void flush();
  void send_records();
  void fit(Clock::time_point now);
  bool say_last_word();
  bool send_unsent();
  void linger();
  void linger_on();
  void shut();
  bool receive_rest(std::size_t received);
  void service(error_code ec, std::size_t received);
  void after_input();
  void arm_read();
  void arm_write();
  void arm_timer();
  void wait_for_timer();
  void on_timer();
  void on_time();
  bool input_waits();
  void finish_if_idle();

  /// Counts an operation under way, so that carry() returns only after the last of them.
  template <class F>
  auto tracked(F f) {
    ++operations_;
    return [this, f = std::move(f)](error_code ec) {
      f(ec);
      --operations_;
      finish_if_idle();
    };
  }

  const Options options_;
  IoThread& thread_;
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<TlsEngine> tls_;
  Session* session_ = nullptr;

  boost::asio::steady_timer timer_;
  Clock::time_point timer_at_ = Clock::time_point::max();
  boost::asio::steady_timer finished_;  // never expires; cancelled when carry() may return

  std::string early_;                       // decrypted, behind the peer's HELLO
  std::string unsent_;                      // records that the socket did not take yet
  Clock::time_point unsent_since_;          // when the socket last took something of them
  std::array<char, kFirstBytes> first_in_;  // filled by the pending read
  Clock::time_point taken_at_{};            // when the session last got something
  Clock::time_point fitted_at_{};           // to what the line holds
  std::uint64_t fitted_messages_ = 0;       // that had left by then
  std::size_t batch_bytes_;
  bool read_armed_ = false;
  bool write_armed_ = false;
  bool wake_posted_ = false;
  bool busy_ = false;  // inside a callback, which flushes at its end; the scratch buffers are ours
  bool send_failed_ = false;  // nothing is sent any more; the pending read says why
  bool closed_ = false;
  bool lingering_ = false;  // closed, and the peer is yet to take the last word
  int operations_ = 0;
  error_code why_;
};

}  // namespace rp::pipe
