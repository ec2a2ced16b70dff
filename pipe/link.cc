#include "pipe/link.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "pipe/line.h"
#include "pipe/wake_batch.h"

namespace rp::pipe {
namespace {

namespace asio = boost::asio;

/// How much goes out before the socket is asked again, and how much of bodies is on its way at
/// least; a longer line holds more. Both stand in front of whatever comes next.
struct Pace {
  std::size_t batch_bytes;
  std::size_t bodies_bytes;
};

// Bodies alone: few system calls, and no end waits for the other. A heartbeat waits for eight
// records.
constexpr Pace kBodiesAlone{.batch_bytes = 128 * 1024, .bodies_bytes = 512 * 1024};

// Bodies beside small calls: a record at a time, and so much on the way that the other end has work
// while its last acknowledgement is under way.
constexpr Pace kBodiesBesideCalls{.batch_bytes = 16 * 1024, .bodies_bytes = 56 * 1024};

// The line, and what is on it, is looked at so often.
constexpr std::chrono::milliseconds kFitInterval{10};

// How long a closed link waits for the peer to take its GOODBYE: a round trip on any line.
constexpr std::chrono::seconds kLinger{1};

// Input that comes so soon after the last finds the buffers of TLS still there: to make them anew
// takes longer than to decrypt a small call. They go when the link's timer finds it quiet, with the
// next heartbeat at the latest.
constexpr std::chrono::milliseconds kKeepBuffers{1};

// Reads of one wake-up; then other links of the thread get their turn.
constexpr int kReadsPerTurn = 2;

// How long a pending read may take to bring what the socket holds, before it is looked at again.
constexpr std::chrono::milliseconds kInputWait{1};

error_code last_error() { return {errno, boost::system::system_category()}; }

}  // namespace

Link::Link(Connection connection, IoThread& thread, Options options)
    : options_(options),
      thread_(thread),
      socket_(connection.take_socket(thread)),
      tls_(connection.take_tls()),
      timer_(thread.context()),
      finished_(thread.context(), Clock::time_point::max()),
      early_(connection.take_received()),
      batch_bytes_(kBodiesAlone.batch_bytes) {
  error_code ignored;  // a connection that is already gone shows at the first read
  socket_.non_blocking(true, ignored);
  const auto user_timeout_ms = static_cast<unsigned>(options_.user_timeout.count());
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms,
               sizeof user_timeout_ms);
}

asio::awaitable<error_code> Link::carry(Session& session, std::string_view first) {
  session_ = &session;
  ++operations_;  // this coroutine's own hold, until it waits
  busy_ = true;
  begin(first);
  busy_ = false;
  --operations_;
  while (!closed_ || operations_ > 0) {
    error_code ignored;
    co_await finished_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  session_ = nullptr;
  co_return why_;
}

void Link::begin(std::string_view first) {
  tls_->feed({}, thread_.scratch().cipher_out);
  if (auto ec = tls_->write(first)) return close(ec);
  send_records();
  if (session_->is_over()) return close(Errc::protocol_violation);  // the peer's HELLO lied
  const std::string early = std::exchange(early_, std::string());
  if (!closed_ && (early.empty() || take(early))) after_input();
}

void Link::finish_if_idle() {
  if (closed_ && operations_ == 0) finished_.cancel();
}

void Link::service(error_code ec, std::size_t received) {
  busy_ = true;
  if (ec == asio::error::eof) ec = Errc::link_lost;
  if (!closed_ && ec) close(ec);
  if (!closed_ && receive(received)) after_input();
  busy_ = false;
}

/// Takes what the pending read brought, and the rest where that may not be all. False when the link
/// was closed.
bool Link::receive(std::size_t received) {
  if (received == first_in_.size()) {
    std::copy(first_in_.begin(), first_in_.end(), thread_.scratch().cipher_in.begin());
    return receive_rest(received);
  }
  tls_->feed({first_in_.data(), received}, thread_.scratch().cipher_out);
  return decrypt();
}

/// Reads what the socket has, behind so much that the thread's buffer holds already. False when the
/// link was closed.
bool Link::receive_rest(std::size_t received) {
  std::string& in = thread_.scratch().cipher_in;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t n =
        ::recv(socket_.native_handle(), in.data() + received, in.size() - received, 0);
    const bool nothing = n < 0 && (errno == EAGAIN || errno == EINTR);
    const error_code failed = n == 0 ? make_error_code(Errc::link_lost) : last_error();
    if (n > 0) received += static_cast<std::size_t>(n);
    if (received > 0) {
      tls_->feed({in.data(), received}, thread_.scratch().cipher_out);
      if (!decrypt()) return false;
    }
    if (nothing) return true;
    if (n <= 0) {
      close(failed);
      return false;
    }
    if (std::exchange(received, 0) < in.size()) return true;
  }
  return true;
}

/// Gives the session all that the fed records hold. False when the link was closed.
bool Link::decrypt() {
  std::string& plain = thread_.scratch().plain_in;
  for (;;) {
    std::size_t filled = 0;
    error_code ended;
    while (filled < plain.size()) {
      const Result<std::size_t> n = tls_->read(plain.data() + filled, plain.size() - filled);
      if (!n) ended = n.error();
      if (!n || *n == 0) break;
      filled += *n;
    }
    if (filled > 0 && !take({plain.data(), filled})) return false;
    if (ended) {
      close(ended == asio::error::eof ? make_error_code(Errc::link_lost) : ended);
      return false;
    }
    if (filled < plain.size()) return true;
  }
}

/// False when the link was closed.
bool Link::take(std::string_view plain) {
  const auto now = Clock::now();
  if (now - std::exchange(taken_at_, now) < kKeepBuffers) tls_->keep_buffers(true);
  const WakeBatch batch;
  if (auto ec = session_->receive(plain, now)) close(ec);
  return !closed_;
}

void Link::after_input() {
  flush();
  arm_read();
  arm_timer();
}

void Link::flush() {
  send_batch();
  send_records();  // what TLS itself had to say
  if (!closed_ && unsent_.empty() && session_->drained()) close(Errc::draining);
}

void Link::send_batch() {
  std::string& frames = thread_.scratch().plain_out;
  bool more = true;  // not asked of the session at first: it may owe an acknowledgement
  while (more && !closed_ && !send_failed_ && unsent_.empty()) {
    frames.clear();
    session_->produce(frames, batch_bytes_, Clock::now());
    if (frames.empty()) break;
    tls_->feed(tls_->unread(), thread_.scratch().cipher_out);
    if (auto ec = tls_->write(frames)) return close(ec);
    send_records();
    if (session_->has_bodies()) fit(Clock::now());
    more = session_->has_output();
  }
}

void Link::fit(Clock::time_point now) {
  if (now < fitted_at_ + kFitInterval) return;
  fitted_at_ = now;
  const std::uint64_t messages = session_->message_bytes();
  const bool beside_calls = std::exchange(fitted_messages_, messages) != messages;
  const Pace& pace = beside_calls ? kBodiesBesideCalls : kBodiesAlone;
  batch_bytes_ = pace.batch_bytes;
  session_->pace_bodies(
      {.in_flight_max = bytes_that_fill_the_line(socket_.native_handle(), pace.bodies_bytes,
                                                 std::numeric_limits<std::size_t>::max()),
       .give_way = beside_calls});
}

/// Offers the scratch records to the socket and keeps what it does not take.
void Link::send_records() {
  std::string& records = thread_.scratch().cipher_out;
  if (records.empty() || closed_ || send_failed_) return records.clear();
  std::size_t sent = 0;
  while (unsent_.empty() && sent < records.size()) {
    const ssize_t n =
        ::send(socket_.native_handle(), records.data() + sent, records.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      // A peer that has gone may have said why, in bytes that wait: the pending read brings them,
      // and then its end.
      send_failed_ = true;
      break;
    }
  }
  if (sent < records.size() && !send_failed_) {
    if (unsent_.empty()) unsent_since_ = Clock::now();
    unsent_.append(records, sent);
    arm_write();
  }
  records.clear();
}

void Link::arm_read() {
  if (read_armed_ || (closed_ && !lingering_)) return;
  read_armed_ = true;
  ++operations_;
  socket_.async_receive(asio::buffer(first_in_), [this](error_code ec, std::size_t received) {
    const IoThread::Turn turn(thread_);
    read_armed_ = false;
    closed_ ? linger_on() : service(ec, received);
    --operations_;
    finish_if_idle();
  });
}

void Link::arm_write() {
  if (write_armed_ || (closed_ && !lingering_)) return;
  write_armed_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_write, tracked([this](error_code) {
                       write_armed_ = false;
                       if (closed_) return linger_on();
                       busy_ = true;
                       thread_.scratch().cipher_out = std::exchange(unsent_, {});
                       const std::size_t before = thread_.scratch().cipher_out.size();
                       const auto since = unsent_since_;
                       send_records();
                       if (unsent_.size() == before) unsent_since_ = since;  // it took nothing
                       flush();
                       arm_timer();
                       busy_ = false;
                     }));
}

void Link::arm_timer() {
  if (closed_) return;
  auto at = session_->wake_at();
  if (!unsent_.empty()) at = std::min(at, unsent_since_ + options_.write_timeout);
  if (at >= timer_at_) return;  // it fires early enough; what is not due then waits again
  timer_at_ = at;
  timer_.expires_at(at);
  wait_for_timer();
}

void Link::wait_for_timer() {
  timer_.async_wait(tracked([this](error_code ec) {
    if (!ec) on_timer();
  }));
}

void Link::on_timer() {
  timer_at_ = Clock::time_point::max();
  // What has arrived goes first, for it counts as life. The time may be up because this process
  // was stopped for a while.
  asio::post(thread_.context(), [this, done = tracked([](error_code) {})]() mutable {
    if (!closed_) on_time();
    done({});
  });
}

void Link::on_time() {
  const auto now = Clock::now();
  if (input_waits()) {
    timer_at_ = now + kInputWait;
    timer_.expires_at(timer_at_);
    return wait_for_timer();
  }
  busy_ = true;
  if (now - taken_at_ >= kKeepBuffers) tls_->keep_buffers(false);
  if (!unsent_.empty() && now >= unsent_since_ + options_.write_timeout) {
    close(Errc::overloaded);
  } else if (auto ec = session_->on_time(now)) {
    close(ec);
  } else {
    after_input();
  }
  busy_ = false;
}

/// Whether the pending read is about to bring something.
bool Link::input_waits() {
  char byte = 0;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void Link::wake() {
  if (busy_ || closed_ || wake_posted_ || !session_) return;
  wake_posted_ = true;
  thread_.run_soon([this, done = tracked([](error_code) {})]() mutable {
    wake_posted_ = false;
    busy_ = true;
    flush();
    arm_timer();
    busy_ = false;
    done({});
  });
}

/// Offers the socket the session's GOODBYE and TLS's close_notify. True if a GOODBYE is on its way.
bool Link::say_last_word() {
  // Buffers of its own: whoever closes this link may be in the midst of another one's callback. In
  // a callback of ours, the scratch may hold an alert of TLS.
  std::string records = busy_ ? std::exchange(thread_.scratch().cipher_out, {}) : std::string();
  std::string frames;
  const bool last_word = session_->has_last_word();
  if (last_word) session_->produce(frames, batch_bytes_, Clock::now());
  tls_->feed({}, records);
  if (!tls_->write(frames)) tls_->close_notify();
  unsent_ += records;
  return send_unsent() && last_word;
}

/// False when the connection is gone.
bool Link::send_unsent() {
  while (!unsent_.empty()) {
    const ssize_t n = ::send(socket_.native_handle(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (n > 0) {
      unsent_.erase(0, static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
  return true;
}

void Link::close(error_code why) {
  if (closed_) return;
  closed_ = true;
  why_ = why;
  session_&& say_last_word() ? linger() : shut();
}

/// Closing a socket on which input waits or still comes sends a reset, and that overtakes what the
/// peer has not read yet. So input is thrown away until the peer has heard and closes, for a while.
void Link::linger() {
  lingering_ = true;
  timer_.expires_after(kLinger);
  timer_.async_wait(tracked([this](error_code ec) {
    if (!ec) shut();
  }));
  arm_read();
  if (!unsent_.empty()) return arm_write();
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void Link::linger_on() {
  if (!lingering_) return;
  char discarded[4096];
  for (int i = 0; i < 16 * kReadsPerTurn; ++i) {
    const ssize_t n = ::recv(socket_.native_handle(), discarded, sizeof discarded, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (n <= 0) return shut();
  }
  if (!send_unsent()) return shut();
  arm_read();
  if (!unsent_.empty()) return arm_write();
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void Link::shut() {
  lingering_ = false;
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  timer_.cancel();
  finish_if_idle();
}

}  // namespace rp::pipe
