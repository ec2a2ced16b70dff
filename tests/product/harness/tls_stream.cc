#include "tests/product/harness/tls_stream.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <sys/socket.h>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>

namespace rp::product {
namespace {

/// One name as TLS lists it: a length byte before it.
std::string alpn_list(const std::string& name) { return static_cast<char>(name.size()) + name; }

/// OpenSSL's callback on the answering side: takes `wanted` when the peer offers it.
int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                unsigned in_size, void* wanted) {
  const auto list = alpn_list(*static_cast<const std::string*>(wanted));
  const auto* end = in + in_size;
  const auto* found = std::search(in, end, list.begin(), list.end());
  if (found == end) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = found + 1;
  *out_size = *found;
  return SSL_TLSEXT_ERR_OK;
}

/// A half-sent record must not stop a test for ever.
void bound_waits(const Socket& socket) {
  const timeval limit{kPatience.count(), 0};
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

}  // namespace

TlsStream::TlsStream(Socket socket, const TlsSetup& setup, bool dials)
    : socket_(std::move(socket)),
      alpn_(setup.alpn),
      context_(SSL_CTX_new(dials ? TLS_client_method() : TLS_server_method())),
      ssl_(nullptr) {
  SSL_CTX_set_security_level(context_, 0);
  SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
  SSL_CTX_set_mode(context_, SSL_MODE_AUTO_RETRY);
  if (!setup.certificate.empty() &&
      (SSL_CTX_use_certificate_chain_file(context_, setup.certificate.c_str()) != 1 ||
       SSL_CTX_use_PrivateKey_file(context_, setup.key.c_str(), SSL_FILETYPE_PEM) != 1)) {
    SSL_CTX_free(context_);
    throw std::runtime_error("OpenSSL does not take " + setup.certificate.string());
  }
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, socket_.fd());
  bound_waits(socket_);
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
}

TlsStream::~TlsStream() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

bool TlsStream::handshake(bool dials) {
  const bool done =
      uninterrupted([&] { return dials ? SSL_connect(ssl_) : SSL_accept(ssl_); }) == 1;
  ERR_clear_error();
  return done;
}

std::unique_ptr<TlsStream> TlsStream::dial(Socket socket, const TlsSetup& setup) {
  std::unique_ptr<TlsStream> stream(new TlsStream(std::move(socket), setup, true));
  const auto list = alpn_list(setup.alpn);
  SSL_set_alpn_protos(stream->ssl_, reinterpret_cast<const unsigned char*>(list.data()),
                      static_cast<unsigned>(list.size()));
  if (!stream->handshake(true)) return nullptr;
  return stream;
}

std::unique_ptr<TlsStream> TlsStream::answer(Socket socket, const TlsSetup& setup) {
  std::unique_ptr<TlsStream> stream(new TlsStream(std::move(socket), setup, false));
  SSL_CTX_set_alpn_select_cb(stream->context_, choose_alpn, &stream->alpn_);
  if (!stream->handshake(false)) return nullptr;
  return stream;
}

bool TlsStream::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const int sent = uninterrupted(
        [&] { return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())); });
    ERR_clear_error();
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool TlsStream::receive(std::string& into, TestClock::time_point deadline) {
  if (SSL_pending(ssl_) == 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - TestClock::now());
    pollfd ready{socket_.fd(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) != 1) {
      return false;
    }
  }
  std::array<char, 16384> buffer;
  const int received =
      uninterrupted([&] { return SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size())); });
  ERR_clear_error();
  if (received <= 0) return false;
  bytes_received_ += static_cast<std::size_t>(received);
  into.append(buffer.data(), static_cast<std::size_t>(received));
  return true;
}

bool TlsStream::closes(TestClock::duration timeout) {
  const auto deadline = TestClock::now() + timeout;
  std::string dropped;
  while (receive(dropped, deadline)) dropped.clear();
  return TestClock::now() < deadline;
}

}  // namespace rp::product
