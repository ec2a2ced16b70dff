#include "tests/product/harness/socket.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>

#include <poll.h>
#include <unistd.h>

namespace rp::product {
namespace {

sockaddr_in address_of(const std::string& ip, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  return address;
}

const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Socket bound(int type, const std::string& ip) {
  Socket socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const auto address = address_of(ip, 0);
  if (::bind(socket.fd(), generic(address), sizeof address) != 0) {
    throw std::runtime_error("bind " + ip + ": " + std::strerror(errno));
  }
  return socket;
}

bool readable(const Socket& socket, TestClock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - TestClock::now());
  pollfd ready{socket.fd(), POLLIN, 0};
  return ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) == 1;
}

}  // namespace

void Socket::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::optional<Socket> connect_to(std::uint16_t port, const std::string& source) {
  auto socket = bound(SOCK_STREAM, source);
  const auto address = address_of("127.0.0.1", port);
  if (::connect(socket.fd(), generic(address), sizeof address) != 0) return std::nullopt;
  return socket;
}

Socket listen_on_loopback() {
  auto socket = bound(SOCK_STREAM, "127.0.0.1");
  if (::listen(socket.fd(), 64) != 0) {
    throw std::runtime_error(std::string("listen: ") + std::strerror(errno));
  }
  return socket;
}

Socket udp_on_loopback() { return bound(SOCK_DGRAM, "127.0.0.1"); }

std::uint16_t port_of(const Socket& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

std::optional<Socket> accept_from(const Socket& listener, TestClock::duration timeout) {
  if (!readable(listener, TestClock::now() + timeout)) return std::nullopt;
  const int fd = ::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return std::nullopt;
  return Socket(fd);
}

bool send_all(const Socket& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_some(const Socket& socket, std::string& into, TestClock::time_point deadline) {
  if (!readable(socket, deadline)) return false;
  std::array<char, 65536> buffer;
  const auto received = ::recv(socket.fd(), buffer.data(), buffer.size(), 0);
  if (received <= 0) return false;
  into.append(buffer.data(), static_cast<std::size_t>(received));
  return true;
}

bool closes(const Socket& socket, TestClock::duration timeout) {
  const auto deadline = TestClock::now() + timeout;
  std::string dropped;
  while (receive_some(socket, dropped, deadline)) dropped.clear();
  return TestClock::now() < deadline;
}

}  // namespace rp::product
