#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "pipe/core/greeting.h"
#include "pipe/event.h"
#include "pipe/io_thread.h"
#include "pipe/tls.h"

namespace rp::pipe {

/// A TCP connection with TLS on it whose peer has said HELLO. It belongs to no thread: a client
/// that comes back may have been accepted on another thread than its session's.
class Connection {
 public:
  Connection(int socket, boost::asio::ip::tcp protocol, std::unique_ptr<TlsEngine> tls, Origin peer,
             std::string received);
  /// Closes the socket, unless it was taken.
  ~Connection();
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;

  /// Once: the socket, bound to `thread` from now on.
  boost::asio::ip::tcp::socket take_socket(IoThread& thread);
  std::unique_ptr<TlsEngine> take_tls() { return std::move(tls_); }
  std::string take_received() { return std::move(received_); }

  TlsEngine& tls() { return *tls_; }
  const Origin& peer() const { return peer_; }

  /// False once the peer has closed its side: nobody waits there any more.
  bool is_alive() const;

 private:
  int socket_;
  boost::asio::ip::tcp protocol_;
  std::unique_ptr<TlsEngine> tls_;
  Origin peer_;
  std::string received_;  // decrypted, behind HELLO; at most one read of a socket
};

/// All that comes before a connection can carry a session: TLS, then one HELLO each way.
///
/// Lives on one I/O thread. Await one member at a time; close() ends it.
class Handshake {
 public:
  /// A client's handshake demands that the server's certificate names `host`; a server's ignores
  /// it.
  Handshake(boost::asio::ip::tcp::socket socket, IoThread& thread,
            std::shared_ptr<const TlsContext> tls, const std::string& host);
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  /// TLS. Errors: bad_identity (the peer was refused, or refused us), handshake_timeout, or the
  /// socket's. Afterwards peer() has the verified name.
  boost::asio::awaitable<error_code> secure(Clock::time_point deadline);
  /// Sends frames: our HELLO, for the side that speaks first.
  boost::asio::awaitable<error_code> say(std::string frames);
  /// Waits for the peer's HELLO. Errors as Greeting::receive(), handshake_timeout, or the link's;
  /// the peer has then been told what it did wrong.
  boost::asio::awaitable<error_code> hear(Clock::time_point deadline);
  /// Says GOODBYE with the reason and waits until the peer has heard it, for a second at most.
  boost::asio::awaitable<void> refuse(Failure reason);

  /// Ends what is being awaited with `why`.
  void close(error_code why);

  /// After hear(): the connection, for whoever carries a session over it. Nothing else may be
  /// called afterwards.
  Connection release();

  /// Identity from secure() on, address from the beginning.
  const Origin& peer() const { return peer_; }
  TlsEngine& tls() { return *tls_; }
  const Greeting& greeting() const { return greeting_; }
  /// After an error: what is known of its reason; safe to log.
  std::string detail() const;

 private:
  class Cutoff;

  boost::asio::awaitable<error_code> exchange_tls();
  boost::asio::awaitable<error_code> read_greeting();
  error_code decrypt(std::string_view cipher);
  boost::asio::awaitable<Result<std::string_view>> receive_some();
  boost::asio::awaitable<error_code> send_all(std::string bytes);
  boost::asio::awaitable<void> send_last_word(std::string goodbye);

  IoThread& thread_;
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<TlsEngine> tls_;
  Origin peer_;
  Greeting greeting_;
  std::string received_;  // behind the TLS handshake, then, decrypted, behind HELLO
  std::string unsent_;    // what TLS itself had to say
  bool closed_ = false;
  error_code why_;
};

}  // namespace rp::pipe
