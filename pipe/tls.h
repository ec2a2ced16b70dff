#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "certs/identity.h"
#include "certs/peer.h"
#include "pipe/error.h"

struct ssl_ctx_st;
struct ssl_st;

namespace rp::pipe {

/// What both ends of every link agree on: TLS 1.3, both certificates verified, no tickets, no
/// early data. Immutable; a reload makes a new one and links that are up keep theirs.
class TlsContext {
 public:
  /// Throws certs::Error when the identity's parts do not fit.
  explicit TlsContext(std::shared_ptr<const certs::Identity> identity,
                      certs::StaleCrl stale_crl = certs::StaleCrl::refuse);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  const certs::Identity& identity() const { return *identity_; }

 private:
  friend class TlsEngine;
  std::shared_ptr<const certs::Identity> identity_;
  ssl_ctx_st* context_;
};

/// One TLS connection without its socket: ciphertext comes in by feed() and goes out by the string
/// that feed() names. Between two uses it holds no buffers but an incomplete record, unless it is
/// told to keep them.
class TlsEngine {
 public:
  /// A client's engine verifies that the server's certificate names `host`, which is a DNS name or
  /// an IP address; a server's ignores it.
  TlsEngine(std::shared_ptr<const TlsContext> context, const std::string& host);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  /// Ciphertext for the calls that follow, and where they append what must be sent. Both stay
  /// valid until the next feed(). read() uses all of `in` before it says that it needs more.
  void feed(std::string_view in, std::string& out) {
    in_ = in;
    out_ = &out;
  }

  /// True when done, false when it needs more input, or why the peer is refused. Even a refusal
  /// may leave an alert to send.
  Result<bool> handshake();
  /// What the last feed() brought and nothing has used yet.
  std::string_view unread() const { return in_; }
  /// After a failed handshake or read: OpenSSL's reason, safe to log; "" if there is none.
  const std::string& failure_reason() const { return reason_; }
  /// After the handshake: who the peer is by its certificate.
  certs::PeerIdentity peer() const;
  /// Whether `identity`'s CRL lists the peer's certificate.
  bool peer_revoked(const certs::Identity& identity) const;

  /// Decrypts into `to`; 0 when more input is needed; asio::error::eof after the peer's
  /// close_notify, bad_identity for an alert by which the peer refuses our certificate; link_lost
  /// for a broken record.
  Result<std::size_t> read(char* to, std::size_t bytes_max);
  /// Encrypts all of `plain`.
  error_code write(std::string_view plain);
  void close_notify();

  /// OpenSSL's buffers of one record each way, 33 KiB in all, stay from now on, or come and go with
  /// each use.
  void keep_buffers(bool keep);

 private:
  friend struct StagingBio;

  std::shared_ptr<const TlsContext> context_;
  const std::string host_;
  ssl_st* ssl_;
  std::string_view in_;
  std::string* out_ = nullptr;
  bool keeps_buffers_ = false;
  std::string reason_;
};

}  // namespace rp::pipe
