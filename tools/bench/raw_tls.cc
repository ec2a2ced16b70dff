#include "tools/bench/raw_tls.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <unistd.h>

#include "tools/bench/two_sided_main.h"

namespace rp::bench {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kRecordBytes = 16 * 1024;

void require(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

const sockaddr* plain(const sockaddr_in& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

/// Replaces a `port` of 0 by the one that was taken.
int listen_on_loopback(std::uint16_t& port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(port);
  require(::bind(listener, plain(address), sizeof address) == 0, "bind");
  require(::listen(listener, SOMAXCONN) == 0, "listen");
  socklen_t bytes = sizeof address;
  ::getsockname(listener, static_cast<sockaddr*>(static_cast<void*>(&address)), &bytes);
  port = ntohs(address.sin_port);
  return listener;
}

}  // namespace

struct RawBio {
  static RawTls& connection(BIO* bio) { return *static_cast<RawTls*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int bytes_max) {
    BIO_clear_retry_flags(bio);
    std::string_view& in = connection(bio).cipher_in_;
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
    connection(bio).cipher_out_.append(from, static_cast<std::size_t>(bytes));
    return bytes;
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO* make(RawTls& connection) {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "raw");
      BIO_meth_set_read(made, &RawBio::read);
      BIO_meth_set_write(made, &RawBio::write);
      BIO_meth_set_ctrl(made, &RawBio::control);
      return made;
    }();
    BIO* bio = BIO_new(method);
    BIO_set_data(bio, &connection);
    BIO_set_init(bio, 1);
    return bio;
  }
};

TlsSettings tls_settings(TlsSide side, const std::filesystem::path& identity) {
  TlsSettings settings(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  const std::string role = side == TlsSide::server ? "server" : "client";
  const auto file = [&](const std::string& kind) {
    return (identity / ("restpipe." + role + "." + kind + ".pem")).string();
  };
  SSL_CTX* const context = settings.get();
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  const bool ok =
      SSL_CTX_use_certificate_chain_file(context, file("crt").c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context, file("key").c_str(), SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_load_verify_locations(context, (identity / "ca.crt.pem").c_str(), nullptr) == 1;
  if (!ok) throw std::runtime_error("no usable identity in " + identity.string());
  return settings;
}

RawTls::RawTls(int socket, const TlsSettings& settings, TlsSide side)
    : socket_(socket),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      ssl_(SSL_new(settings.get()), &SSL_free) {
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_event readable{.events = EPOLLIN, .data = {}};
  require(::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket_, &readable) == 0, "epoll_ctl");
  cipher_in_buffer_.resize(kReadBytes);
  record_.resize(kRecordBytes);
  BIO* bio = RawBio::make(*this);
  SSL_set_bio(ssl_.get(), bio, bio);
  if (side == TlsSide::server) SSL_set_accept_state(ssl_.get());
  if (side == TlsSide::client) {
    SSL_set_connect_state(ssl_.get());
    SSL_set1_host(ssl_.get(), "localhost");
  }
  handshake();
}

RawTls::~RawTls() {
  ::close(epoll_);
  ::close(socket_);
}

void RawTls::handshake() {
  for (;;) {
    const int result = SSL_do_handshake(ssl_.get());
    flush();
    if (result == 1) return;
    if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ || !fill()) {
      throw std::runtime_error("the TLS handshake failed");
    }
  }
}

/// Waits for ciphertext and takes what is there; false at the end of the connection.
bool RawTls::fill() {
  for (;;) {
    epoll_event event;
    if (::epoll_wait(epoll_, &event, 1, -1) != 1) continue;
    const ssize_t n =
        ::recv(socket_, cipher_in_buffer_.data(), cipher_in_buffer_.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) continue;
    if (n <= 0) return false;
    cipher_in_ = std::string_view(cipher_in_buffer_).substr(0, static_cast<std::size_t>(n));
    return true;
  }
}

bool RawTls::receive(std::string& plain) {
  const std::size_t before = plain.size();
  for (;;) {
    int n = 0;
    while ((n = SSL_read(ssl_.get(), record_.data(), static_cast<int>(record_.size()))) > 0) {
      plain.append(record_, 0, static_cast<std::size_t>(n));
    }
    if (plain.size() > before) return true;
    if (SSL_get_error(ssl_.get(), n) != SSL_ERROR_WANT_READ || !fill()) return false;
  }
}

bool RawTls::send(std::string_view plain) {
  if (SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size())) <= 0) {
    throw std::runtime_error("SSL_write failed");
  }
  return flush();
}

bool RawTls::flush() {
  std::string_view rest = cipher_out_;
  while (!rest.empty()) {
    const ssize_t n = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      rest.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EPIPE || errno == ECONNRESET) return false;
    require(errno == EAGAIN, "send");
    pollfd writable{.fd = socket_, .events = POLLOUT, .revents = 0};
    ::poll(&writable, 1, -1);
  }
  cipher_out_.clear();
  return true;
}

void serve_raw_tls(const std::filesystem::path& identity, std::uint16_t port,
                   const std::function<void(RawTls& connection)>& serve) {
  const TlsSettings settings = tls_settings(TlsSide::server, identity);
  const int listener = listen_on_loopback(port);
  announce(port);
  for (;;) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    require(socket >= 0, "accept");
    RawTls connection(socket, settings, TlsSide::server);
    serve(connection);
  }
}

int connect_to_loopback(std::uint16_t port) {
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  require(::connect(connection, plain(address), sizeof address) == 0, "connect");
  return connection;
}

}  // namespace rp::bench
