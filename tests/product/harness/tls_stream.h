#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "tests/product/harness/socket.h"

struct ssl_st;
struct ssl_ctx_st;

namespace rp::product {

/// What a peer that a test plays shows to the other side. It verifies nothing itself and, to be
/// able to show bad certificates, runs at OpenSSL's lowest security level.
struct TlsSetup {
  std::filesystem::path certificate{};  ///< with its chain; empty: shows none
  std::filesystem::path key{};
  std::string alpn = "restpipe/1";
};

/// A blocking TLS 1.3 connection on plain OpenSSL, so that what the product's own TLS code does is
/// seen from outside.
class TlsStream {
 public:
  /// Null when the handshake fails. A dialling side may get a stream and only then learn, at its
  /// first receive, that its certificate was refused: that is how TLS 1.3 works.
  static std::unique_ptr<TlsStream> dial(Socket socket, const TlsSetup& setup);
  static std::unique_ptr<TlsStream> answer(Socket socket, const TlsSetup& setup);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  /// One TLS record for each 16 KiB begun. False when the peer is gone.
  bool send(std::string_view bytes);

  /// Appends what has arrived to `into`; false at the end of the stream, on an alert or an error,
  /// and at the deadline.
  bool receive(std::string& into, TestClock::time_point deadline);

  /// Whether the peer ends the stream within `timeout`; what it sends before is counted.
  bool closes(TestClock::duration timeout = kPatience);
  std::size_t bytes_received() const noexcept { return bytes_received_; }

 private:
  TlsStream(Socket socket, const TlsSetup& setup, bool dials);
  bool handshake(bool dials);

  Socket socket_;
  std::string alpn_;
  ssl_ctx_st* context_;
  ssl_st* ssl_;
  std::size_t bytes_received_ = 0;
};

}  // namespace rp::product
