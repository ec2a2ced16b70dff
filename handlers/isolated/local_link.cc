#include "handlers/isolated/local_link.h"

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <utility>

namespace rp::handlers {
namespace {

using pipe::Clock;
using pipe::Errc;
using pipe::error_code;

// What the session hands over before the socket is asked again, and reads of one wake-up: as in
// pipe/link.cc, so that a heartbeat waits for little and other hosts of the thread get their turn.
constexpr std::size_t kBatchBytes = 64 * 1024;
constexpr std::size_t kReadsPerTurn = 4;

// All that a socket of the usual size can hold.
constexpr std::size_t kReadsOfTheRest = 64;

// Silence for the whole heartbeat timeout may mean that this process was stopped, by a debugger or
// a frozen machine, and the other one with it. Whoever is alive speaks within a second heartbeat.
constexpr std::chrono::seconds kSecondLook{2};

error_code last_error() { return {errno, boost::system::system_category()}; }

}  // namespace

LocalLink::LocalLink(FileDescriptor socket, pipe::IoThread& thread)
    : thread_(thread), socket_(thread.context()), timer_(thread.context()) {
  socket_.assign(boost::asio::local::stream_protocol(), socket.get());
  (void)socket.release();
  socket_.non_blocking(true);
}

void LocalLink::start(pipe::Session& session, Ended ended) {
  session_ = &session;
  ended_ = std::move(ended);
  flush();
  arm_read();
  arm_timer();
}

void LocalLink::wake() {
  if (busy_ || session_ == nullptr || std::exchange(wake_posted_, true)) return;
  thread_.post([self = shared_from_this()] {
    self->wake_posted_ = false;
    self->flush();
    self->arm_timer();
  });
}

void LocalLink::arm_read() {
  if (session_ == nullptr || std::exchange(read_armed_, true)) return;
  socket_.async_wait(boost::asio::socket_base::wait_read,
                     [self = shared_from_this()](const error_code& ec) {
                       self->read_armed_ = false;
                       if (!ec) self->on_readable();
                     });
}

void LocalLink::arm_write() {
  if (session_ == nullptr || std::exchange(write_armed_, true)) return;
  socket_.async_wait(boost::asio::socket_base::wait_write,
                     [self = shared_from_this()](const error_code& ec) {
                       self->write_armed_ = false;
                       if (!ec) self->flush();
                     });
}

void LocalLink::on_readable() {
  if (!receive(kReadsPerTurn)) return;
  flush();
  arm_read();
  arm_timer();
}

void LocalLink::receive_rest() {
  if (session_ != nullptr) receive(kReadsOfTheRest);
}

/// False when the link has ended.
bool LocalLink::receive(std::size_t reads_max) {
  std::string& in = thread_.scratch().cipher_in;
  for (std::size_t i = 0; i < reads_max && session_ != nullptr; ++i) {
    const ssize_t n = ::recv(socket_.native_handle(), in.data(), in.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) {
      end(n == 0 ? make_error_code(Errc::link_lost) : last_error());
      return false;
    }
    doubted_until_ = Clock::time_point::max();
    busy_ = true;
    const auto ec = session_->receive({in.data(), static_cast<std::size_t>(n)}, Clock::now());
    busy_ = false;
    if (ec) end(ec);
  }
  return session_ != nullptr;
}

void LocalLink::flush() {
  std::string& frames = thread_.scratch().plain_out;
  while (session_ != nullptr) {
    frames = std::exchange(unsent_, {});
    busy_ = true;
    if (frames.empty()) session_->produce(frames, kBatchBytes, Clock::now());
    busy_ = false;
    if (frames.empty()) return;
    std::size_t sent = 0;
    const bool alive = send(frames, sent);
    if (sent < frames.size()) {
      unsent_ = frames.substr(sent);
      // Of a connection that is gone the pending read tells the end, after what it still holds.
      if (alive) arm_write();
      return;
    }
    frames.clear();
  }
}

/// False when the connection is gone.
bool LocalLink::send(std::string_view bytes, std::size_t& sent) {
  while (sent < bytes.size()) {
    const ssize_t n =
        ::send(socket_.native_handle(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

void LocalLink::arm_timer() {
  if (session_ == nullptr) return;
  const bool doubted = doubted_until_ != Clock::time_point::max();
  const auto at = doubted ? doubted_until_ : session_->wake_at();
  if (at >= timer_at_) return;  // it fires early enough; what is not due then waits again
  timer_at_ = at;
  timer_.expires_at(at);
  timer_.async_wait([self = shared_from_this()](const error_code& ec) {
    if (!ec) self->on_time();
  });
}

void LocalLink::on_time() {
  timer_at_ = Clock::time_point::max();
  // What has arrived counts as life and goes first: this process may have been stopped for a while.
  if (session_ == nullptr || !receive(kReadsPerTurn)) return;
  const auto now = Clock::now();
  if (now >= doubted_until_) return end(Errc::heartbeat_missed);
  if (doubted_until_ == Clock::time_point::max()) {
    busy_ = true;
    const auto ec = session_->on_time(now);
    busy_ = false;
    if (ec && ec != Errc::heartbeat_missed) return end(ec);
    if (ec) doubted_until_ = now + kSecondLook;
  }
  flush();
  arm_read();
  arm_timer();
}

void LocalLink::end(error_code why) {
  const auto ended = std::exchange(ended_, nullptr);
  close();
  if (ended) ended(why);
}

void LocalLink::close() {
  flush();
  session_ = nullptr;
  ended_ = nullptr;
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
}

}  // namespace rp::handlers
