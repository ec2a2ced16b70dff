#include "tests/pipe/raw_peer.h"

#include <algorithm>
#include <csignal>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "pipe/core/frame.h"
#include "tests/pipe/loopback.h"

namespace rp::pipe::test {
namespace {

timeval patience() { return {.tv_sec = std::chrono::seconds(kPatience).count(), .tv_usec = 0}; }

}  // namespace

RawPeer::RawPeer(int socket, const Options& options)
    : socket_(socket), context_(SSL_CTX_new(TLS_method())), ssl_(nullptr) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL's sockets write without MSG_NOSIGNAL
  const timeval wait = patience();
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // It plays hostile peers too, so it may use what nobody should.
  SSL_CTX_set_security_level(context_, 0);
  SSL_CTX_set_max_proto_version(context_, options.tls_version_max);
  SSL_CTX_set_mode(context_, SSL_MODE_AUTO_RETRY);
  if (!options.identity.empty()) {
    const certs::IdentityFiles files = certs::identity_files(options.identity, options.role);
    EXPECT_EQ(SSL_CTX_use_certificate_chain_file(context_, files.certificate.c_str()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_, files.key.c_str(), SSL_FILETYPE_PEM), 1);
  }
  if (options.refuse_peer) {
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);  // it knows no authority at all
  } else {
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  }
  if (!options.alpn.empty()) {
    const std::string& alpn = options.alpn;
    const void* bytes = alpn.data();
    SSL_CTX_set_alpn_protos(context_, static_cast<const unsigned char*>(bytes),
                            static_cast<unsigned>(alpn.size()));
  }
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, socket_);
  if (options.role == certs::Role::server) {
    SSL_set_accept_state(ssl_);
  } else {
    SSL_set_connect_state(ssl_);
  }
}

RawPeer::~RawPeer() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  if (socket_ >= 0) ::close(socket_);
}

bool RawPeer::handshake() {
  return uninterrupted([&] { return SSL_do_handshake(ssl_); }) == 1;
}

bool RawPeer::send(std::string_view bytes) {
  return uninterrupted(
             [&] { return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())); }) > 0;
}

std::string RawPeer::receive(std::size_t bytes) {
  std::string all;
  char buffer[16 * 1024];
  while (all.size() < bytes) {
    const std::size_t wanted = std::min(sizeof buffer, bytes - all.size());
    const int n = uninterrupted([&] { return SSL_read(ssl_, buffer, static_cast<int>(wanted)); });
    if (n <= 0) break;
    all.append(buffer, static_cast<std::size_t>(n));
  }
  return all;
}

std::pair<int, std::string> RawPeer::receive_frame() {
  const std::string bytes = receive(kFrameHeaderBytes);
  if (bytes.size() < kFrameHeaderBytes) return {0, {}};
  const FrameHeader header = decode_header(bytes.data());
  return {header.type, receive(header.payload_bytes)};
}

void RawPeer::reset() {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(std::exchange(socket_, -1));
}

void RawPeer::request_key_update() { EXPECT_EQ(SSL_key_update(ssl_, SSL_KEY_UPDATE_REQUESTED), 1); }

}  // namespace rp::pipe::test
