#include "pipe/tls.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>
#include <sys/auxv.h>

#include <boost/asio/error.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace rp::pipe {
namespace {

// docs/wire.md, "Link".
constexpr unsigned char kAlpn[] = "\x0arestpipe/1";
constexpr unsigned kAlpnBytes = sizeof kAlpn - 1;

bool has_aes_instructions() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("aes");
#elif defined(__aarch64__)
  constexpr unsigned long kHwcapAes = 1UL << 3;
  return (getauxval(AT_HWCAP) & kHwcapAes) != 0;
#else
  return false;
#endif
}

void require(bool ok, const char* what) {
  if (!ok) throw certs::Error(certs::ErrorKind::internal, std::string("TLS: ") + what);
}

/// A peer that names protocols must name ours; one that names none is taken at its HELLO.
int select_alpn(SSL*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* in,
                unsigned in_bytes, void*) {
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_bytes, kAlpn, kAlpnBytes, in, in_bytes);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// Of an earlier connection on this thread. Clearing a queue that is empty frees sixteen nothings.
void forget_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

std::string last_reason(const SSL* ssl) {
  const long verify = SSL_get_verify_result(ssl);
  if (verify != X509_V_OK) return X509_verify_cert_error_string(verify);
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : "the connection broke during the TLS handshake";
}

/// Whether the peer's alert says that it does not accept our certificate.
bool is_refusal(unsigned long code) {
  switch (ERR_GET_REASON(code)) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

}  // namespace

/// The BIO between OpenSSL and the bytes of the moment: reads from the engine's input, appends to
/// its output, and never holds anything.
struct StagingBio {
  static TlsEngine& engine(BIO* bio) { return *static_cast<TlsEngine*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int bytes_max) {
    BIO_clear_retry_flags(bio);
    std::string_view& in = engine(bio).in_;
    if (in.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t n = std::min(in.size(), static_cast<std::size_t>(bytes_max));
    std::memcpy(to, in.data(), n);
    in.remove_prefix(n);
    return static_cast<int>(n);
  }

  static int write(BIO* bio, const char* from, int bytes) {
    engine(bio).out_->append(from, static_cast<std::size_t>(bytes));
    return bytes;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static const std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)> instance = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "staging");
      BIO_meth_set_read(made, &StagingBio::read);
      BIO_meth_set_write(made, &StagingBio::write);
      BIO_meth_set_ctrl(made, &StagingBio::control);
      return std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)>(made, &BIO_meth_free);
    }();
    return instance.get();
  }
};

TlsContext::TlsContext(std::shared_ptr<const certs::Identity> identity, certs::StaleCrl stale_crl)
    : identity_(std::move(identity)), context_(SSL_CTX_new(TLS_method())) {
  require(context_ != nullptr, "no context");
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> guard(context_, &SSL_CTX_free);
  SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
  SSL_CTX_set_security_level(context_, 2);
  const char* const suites =
      has_aes_instructions()
          ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
          : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";
  require(SSL_CTX_set_ciphersuites(context_, suites) == 1, "cipher suites");
  require(SSL_CTX_set1_groups_list(context_, "X25519:P-256") == 1, "key exchange groups");
  SSL_CTX_set_options(context_, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context_, 0);
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context_, &select_alpn, nullptr);
  require(SSL_CTX_set_alpn_protos(context_, kAlpn, kAlpnBytes) == 0, "ALPN");

  require(SSL_CTX_use_certificate(context_, identity_->certificate()) == 1, "certificate");
  require(SSL_CTX_use_PrivateKey(context_, identity_->private_key()) == 1, "private key");
  for (const auto& intermediate : identity_->intermediates()) {
    require(SSL_CTX_add1_chain_cert(context_, intermediate.get()) == 1, "intermediate");
  }
  const auto store = certs::make_trust_store(*identity_, stale_crl);
  require(SSL_CTX_set1_verify_cert_store(context_, store.get()) == 1, "trust store");
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_verify_depth(context_, certs::kChainDepthMax);
  guard.release();
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

TlsEngine::TlsEngine(std::shared_ptr<const TlsContext> context, const std::string& host)
    : context_(std::move(context)), host_(host), ssl_(SSL_new(context_->context_)) {
  require(ssl_ != nullptr, "no connection object");
  BIO* bio = BIO_new(StagingBio::method());
  require(bio != nullptr, "no BIO");
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  if (context_->identity().role() == certs::Role::server) {
    SSL_set_accept_state(ssl_);
    return;
  }
  SSL_set_connect_state(ssl_);
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl_);
  if (X509_VERIFY_PARAM_set1_ip_asc(param, host_.c_str()) != 1) {
    X509_VERIFY_PARAM_set_hostflags(
        param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS);
    require(X509_VERIFY_PARAM_set1_host(param, host_.c_str(), host_.size()) == 1, "host name");
    // SSL_set_tlsext_host_name() without its C cast; OpenSSL copies the name.
    SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(host_.c_str()));
  }
}

TlsEngine::~TlsEngine() { SSL_free(ssl_); }

Result<bool> TlsEngine::handshake() {
  forget_errors();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    // Who it is was verified; what it may be called is stricter than what X.509 allows.
    if (certs::PeerIdentity who = peer(); !who) {
      reason_ = std::move(who.refused);
      return Errc::bad_identity;
    }
    return true;
  }
  if (SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) return false;
  reason_ = last_reason(ssl_);
  return Errc::bad_identity;
}

certs::PeerIdentity TlsEngine::peer() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_);
  return context_->identity().role() == certs::Role::server
             ? certs::peer_identity(certificate)
             : certs::server_identity(certificate, host_);
}

bool TlsEngine::peer_revoked(const certs::Identity& identity) const {
  return certs::is_revoked(identity, SSL_get0_peer_certificate(ssl_));
}

Result<std::size_t> TlsEngine::read(char* to, std::size_t bytes_max) {
  if (in_.empty() && SSL_pending(ssl_) == 0) return std::size_t{0};
  forget_errors();
  const int wanted =
      static_cast<int>(std::min<std::size_t>(bytes_max, std::numeric_limits<int>::max()));
  const int n = SSL_read(ssl_, to, wanted);
  if (n > 0) return static_cast<std::size_t>(n);
  switch (SSL_get_error(ssl_, n)) {
    case SSL_ERROR_WANT_READ:
      return std::size_t{0};
    case SSL_ERROR_ZERO_RETURN:
      return error_code(boost::asio::error::eof);
    default:
      reason_ = last_reason(ssl_);
      return is_refusal(ERR_peek_last_error()) ? Errc::bad_identity : Errc::link_lost;
  }
}

error_code TlsEngine::write(std::string_view plain) {
  forget_errors();
  if (plain.empty()) return {};
  const int n = SSL_write(ssl_, plain.data(), static_cast<int>(plain.size()));
  // The BIO takes everything, so there is no partial write.
  return n == static_cast<int>(plain.size()) ? error_code() : Errc::link_lost;
}

void TlsEngine::close_notify() {
  forget_errors();
  SSL_shutdown(ssl_);
}

void TlsEngine::keep_buffers(bool keep) {
  if (std::exchange(keeps_buffers_, keep) == keep) return;
  if (keep) {
    SSL_clear_mode(ssl_, SSL_MODE_RELEASE_BUFFERS);
  } else {
    SSL_set_mode(ssl_, SSL_MODE_RELEASE_BUFFERS);
    SSL_free_buffers(ssl_);  // what still holds a part of a record goes with its next use
  }
}

}  // namespace rp::pipe
