#include "rest/acceptor.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string_view>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unistd.h>

#include "pipe/log.h"
#include "rest/listener.h"

namespace rp::rest {
namespace {

namespace asio = boost::asio;

constexpr int kAcceptsPerRound = 64;
constexpr std::chrono::milliseconds kBackoff{100};     // after EMFILE and its kin
constexpr std::chrono::seconds kComplaintInterval{1};  // at most one log line for each

constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n"
    "Retry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n";

std::size_t connection_cap(const Limits& limits) {
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return limits.connections_max;
  const auto all = static_cast<std::size_t>(descriptors.rlim_cur);
  const auto usable = all > limits.descriptors_reserve ? all - limits.descriptors_reserve : 1;
  return std::min(limits.connections_max, usable);
}

/// Address and port in text. An IPv4 address that came through an IPv6 socket is shown as IPv4.
Remote remote_of(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return {text.data(), ntohs(v4.sin_port)};
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text.data(), text.size());
    } else {
      ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    }
    return {text.data(), ntohs(v6.sin6_port)};
  }
  return {"unix", 0};
}

std::string local_address_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return remote_of(address).address;
}

/// Which errors mean that this process or machine is short of something; others concern only the
/// one connection that did not come about.
bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

class Acceptor::Impl {
 public:
  Impl(const ServerOptions& options, Stats& stats, std::function<void(Arrival)> deliver)
      : options_(options),
        stats_(stats),
        deliver_(std::move(deliver)),
        cap_(connection_cap(options.limits)) {}

  ~Impl() { stop(); }

  std::vector<Endpoint> bind() {
    std::vector<Endpoint> bound;
    std::vector<std::unique_ptr<Port>> ports;
    for (const Endpoint& endpoint : options_.endpoints) {
      ports.push_back(std::make_unique<Port>(io_, endpoint, options_.unix_mode));
      bound.push_back(ports.back()->listener.endpoint());
    }
    ports_ = std::move(ports);
    return bound;
  }

  void start() {
    for (const auto& port : ports_) wait(*port);
    thread_ = std::thread([this] { io_.run(); });
  }

  void stop() {
    if (thread_.joinable()) {
      asio::post(io_, [this] {
        for (const auto& port : ports_) {
          port->readiness.cancel();
          port->backoff.cancel();
        }
        stopping_ = true;
      });
      thread_.join();
    }
    ports_.clear();
  }

 private:
  /// One listening socket. Asio borrows its descriptor to wait; the listener closes it.
  struct Port {
    Port(asio::io_context& io, const Endpoint& endpoint, mode_t unix_mode)
        : listener(endpoint, unix_mode), readiness(io, listener.fd()), backoff(io) {}
    ~Port() { readiness.release(); }

    Listener listener;
    asio::posix::stream_descriptor readiness;
    asio::steady_timer backoff;
  };

  void wait(Port& port) {
    if (stopping_) return;
    port.readiness.async_wait(asio::posix::stream_descriptor::wait_read,
                              [this, &port](const boost::system::error_code& ec) {
                                if (!ec) accept_some(port);
                              });
  }

  void accept_some(Port& port) {
    for (int i = 0; i < kAcceptsPerRound; ++i) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      const int fd = ::accept4(port.listener.fd(), reinterpret_cast<sockaddr*>(&address), &size,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        take(port, fd, address);
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        break;
      } else if (is_shortage(errno)) {
        return back_off(port, errno);
      }
    }
    wait(port);
  }

  void take(const Port& port, int fd, const sockaddr_storage& address) {
    if (stats_.connections_open.fetch_add(1, std::memory_order_relaxed) >= cap_) {
      ::send(fd, kTooMany.data(), kTooMany.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return refuse(fd);
    }
    if (port.listener.endpoint().is_unix()) {
      if (!may_connect(fd)) return refuse(fd);
      stats_.connections_accepted.fetch_add(1, std::memory_order_relaxed);
      return deliver_(Arrival(fd, {"unix", 0}, "", stats_));
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    stats_.connections_accepted.fetch_add(1, std::memory_order_relaxed);
    deliver_(Arrival(fd, remote_of(address), local_address_of(fd), stats_));
  }

  void refuse(int fd) {
    ::close(fd);
    stats_.connections_open.fetch_sub(1, std::memory_order_relaxed);
    stats_.connections_refused.fetch_add(1, std::memory_order_relaxed);
  }

  /// Who is at the other end of a Unix socket, by the kernel's word.
  bool may_connect(int fd) const {
    if (options_.unix_uids.empty()) return true;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    const auto& uids = options_.unix_uids;
    return std::find(uids.begin(), uids.end(), peer.uid) != uids.end();
  }

  void back_off(Port& port, int error) {
    stats_.accept_errors.fetch_add(1, std::memory_order_relaxed);
    const auto now = std::chrono::steady_clock::now();
    if (now - complained_at_ >= kComplaintInterval) {
      complained_at_ = now;
      log(LogLevel::error, "rest", "cannot accept connections for now",
          {{"endpoint", to_string(port.listener.endpoint())}, {"error", std::strerror(error)}});
    }
    port.backoff.expires_after(kBackoff);
    port.backoff.async_wait([this, &port](const boost::system::error_code& ec) {
      if (!ec) accept_some(port);
    });
  }

  const ServerOptions& options_;
  Stats& stats_;
  const std::function<void(Arrival)> deliver_;
  const std::size_t cap_;
  asio::io_context io_{1};
  std::vector<std::unique_ptr<Port>> ports_;
  std::thread thread_;
  bool stopping_ = false;  ///< on the acceptor's thread
  std::chrono::steady_clock::time_point complained_at_{};
};

Acceptor::Acceptor(const ServerOptions& options, Stats& stats, std::function<void(Arrival)> deliver)
    : impl_(std::make_unique<Impl>(options, stats, std::move(deliver))) {}
Acceptor::~Acceptor() = default;
std::vector<Endpoint> Acceptor::bind() { return impl_->bind(); }
void Acceptor::start() { impl_->start(); }
void Acceptor::stop() { impl_->stop(); }

}  // namespace rp::rest
