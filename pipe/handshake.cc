#include "pipe/handshake.h"

#include <cerrno>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>

namespace rp::pipe {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// How long a refused peer may take to read why: a round trip on any line.
constexpr std::chrono::seconds kLinger{1};

error_code last_error() { return {errno, boost::system::system_category()}; }

Origin origin_of(const tcp::socket& socket) {
  error_code ec;
  const auto endpoint = socket.remote_endpoint(ec);
  if (ec) return {};
  auto address = endpoint.address();
  // A client that came through a dual-stack listener has one address, however it is written.
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return {.node = {}, .address = address.to_string(), .port = endpoint.port()};
}

tcp protocol_of(const tcp::socket& socket) {
  error_code ec;
  const auto endpoint = socket.local_endpoint(ec);
  return ec ? tcp::v4() : endpoint.protocol();
}

}  // namespace

Connection::Connection(int socket, tcp protocol, std::unique_ptr<TlsEngine> tls, Origin peer,
                       std::string received)
    : socket_(socket),
      protocol_(protocol),
      tls_(std::move(tls)),
      peer_(std::move(peer)),
      received_(std::move(received)) {}

Connection::Connection(Connection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      protocol_(other.protocol_),
      tls_(std::move(other.tls_)),
      peer_(std::move(other.peer_)),
      received_(std::move(other.received_)) {}

Connection::~Connection() {
  if (socket_ >= 0) ::close(socket_);
}

tcp::socket Connection::take_socket(IoThread& thread) {
  tcp::socket socket(thread.context());
  error_code failed;
  socket.assign(protocol_, socket_, failed);
  if (!failed) socket_ = -1;  // else the first read says so
  return socket;
}

bool Connection::is_alive() const {
  char byte = 0;
  const ssize_t n = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/// Ends what the socket receives, or all it does, when the time is over, unless it is destroyed
/// before.
class Handshake::Cutoff {
 public:
  Cutoff(tcp::socket& socket, IoThread& thread, Clock::time_point deadline,
         tcp::socket::shutdown_type what = tcp::socket::shutdown_both)
      : timer_(thread.context(), deadline), state_(std::make_shared<State>()) {
    timer_.async_wait([&socket, what, state = state_](error_code ec) {
      if (ec || !state->alive) return;
      state->expired = true;
      // Not cancel(): that would miss a wait that has just ended, and the next one would be
      // endless.
      socket.shutdown(what, ec);
    });
  }
  ~Cutoff() { state_->alive = false; }
  Cutoff(const Cutoff&) = delete;
  Cutoff& operator=(const Cutoff&) = delete;

  bool expired() const { return state_->expired; }

 private:
  struct State {
    bool alive = true;
    bool expired = false;
  };
  asio::steady_timer timer_;
  std::shared_ptr<State> state_;
};

Handshake::Handshake(tcp::socket socket, IoThread& thread, std::shared_ptr<const TlsContext> tls,
                     const std::string& host)
    : thread_(thread),
      socket_(std::move(socket)),
      tls_(std::make_unique<TlsEngine>(std::move(tls), host)),
      peer_(origin_of(socket_)) {
  error_code ignored;  // a connection that is already gone shows at the first read
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
}

std::string Handshake::detail() const {
  return greeting_.detail().empty() ? tls_->failure_reason() : greeting_.detail();
}

void Handshake::close(error_code why) {
  if (std::exchange(closed_, true)) return;
  why_ = why;
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_both, ignored);
}

asio::awaitable<error_code> Handshake::secure(Clock::time_point deadline) {
  const Cutoff cutoff(socket_, thread_, deadline);
  const error_code result = co_await exchange_tls();
  if (closed_) co_return why_;
  if (cutoff.expired()) co_return Errc::handshake_timeout;
  if (!result) peer_.node = tls_->peer().name;
  co_return result;
}

asio::awaitable<error_code> Handshake::exchange_tls() {
  std::string out;
  std::string_view in;
  for (;;) {
    tls_->feed(in, out);
    const Result<bool> done = tls_->handshake();
    // Copied, for what follows waits and then uses the thread's buffers again.
    received_ = tls_->unread();
    const error_code sent = co_await send_all(std::exchange(out, {}));
    if (!done) co_return done.error();
    if (sent) co_return sent;
    if (*done) co_return error_code();
    const Result<std::string_view> received = co_await receive_some();
    if (!received) co_return received.error();
    in = *received;
  }
}

asio::awaitable<error_code> Handshake::say(std::string frames) {
  std::string records = std::exchange(unsent_, {});
  tls_->feed({}, records);
  if (auto ec = tls_->write(frames)) co_return ec;
  co_return co_await send_all(std::move(records));
}

asio::awaitable<error_code> Handshake::hear(Clock::time_point deadline) {
  error_code result;
  bool expired = false;
  {
    const Cutoff cutoff(socket_, thread_, deadline, tcp::socket::shutdown_receive);
    result = co_await read_greeting();
    expired = cutoff.expired();
  }
  if (closed_) co_return why_;
  if (expired) result = greeting_.timed_out();
  if (!result) result = co_await send_all(std::exchange(unsent_, {}));
  if (!greeting_.last_word().empty()) co_await send_last_word(greeting_.last_word());
  co_return closed_ ? why_ : result;
}

asio::awaitable<error_code> Handshake::read_greeting() {
  const std::string early = std::exchange(received_, {});  // ciphertext behind the TLS handshake
  error_code failed = decrypt(early);
  while (!failed && !greeting_.is_complete()) {
    const Result<std::string_view> received = co_await receive_some();
    failed = received ? decrypt(*received) : received.error();
  }
  co_return failed;
}

/// Feeds the greeting; what comes behind HELLO is kept for the session.
error_code Handshake::decrypt(std::string_view cipher) {
  tls_->feed(cipher, unsent_);
  std::string& plain = thread_.scratch().plain_in;
  for (;;) {
    const bool greeted = greeting_.is_complete();
    const Result<std::size_t> n = tls_->read(plain.data(), plain.size());
    if (!n && greeted) return {};  // whoever carries the link sees its end again
    if (!n) return n.error() == asio::error::eof ? make_error_code(Errc::link_lost) : n.error();
    if (*n == 0) return {};
    const std::string_view bytes(plain.data(), *n);
    if (greeted) {
      received_ += bytes;
      continue;
    }
    if (auto ec = greeting_.receive(bytes)) return ec;
    if (greeting_.is_complete()) received_ = greeting_.behind();
  }
}

asio::awaitable<void> Handshake::refuse(Failure reason) {
  if (closed_) co_return;
  std::string goodbye = encode_goodbye({.reason = std::move(reason)});
  co_await send_last_word(std::move(goodbye));
}

/// Closing a socket on which input waits or still comes sends a reset, and that overtakes what the
/// peer has not read yet. So input is thrown away until the peer has heard and closes, for a while.
asio::awaitable<void> Handshake::send_last_word(std::string goodbye) {
  const Cutoff cutoff(socket_, thread_, Clock::now() + kLinger);
  std::string records = std::exchange(unsent_, {});
  tls_->feed({}, records);
  if (!tls_->write(goodbye)) tls_->close_notify();
  if (co_await send_all(std::move(records))) co_return;
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  for (;;) {
    const Result<std::string_view> received = co_await receive_some();
    if (!received) co_return;
  }
}

Connection Handshake::release() {
  const tcp protocol = protocol_of(socket_);
  error_code failed;
  const int socket = socket_.release(failed);
  return {failed ? -1 : socket, protocol, std::move(tls_), peer_, std::move(received_)};
}

/// Waits for bytes and returns them; they stay valid until the next suspension.
asio::awaitable<Result<std::string_view>> Handshake::receive_some() {
  std::string& in = thread_.scratch().cipher_in;
  for (;;) {
    error_code ec;
    co_await socket_.async_wait(tcp::socket::wait_read,
                                asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return ec;
    const ssize_t n = ::recv(socket_.native_handle(), in.data(), in.size(), 0);
    if (n > 0) co_return std::string_view(in).substr(0, static_cast<std::size_t>(n));
    if (n == 0) co_return error_code(Errc::link_lost);
    if (errno != EAGAIN && errno != EINTR) co_return last_error();
  }
}

asio::awaitable<error_code> Handshake::send_all(std::string bytes) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t n = ::send(socket_.native_handle(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) co_return last_error();
    error_code ec;
    co_await socket_.async_wait(tcp::socket::wait_write,
                                asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return ec;
  }
  co_return error_code();
}

}  // namespace rp::pipe
