#pragma once

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace rp::node {

/// Takes datagrams on a port of 127.0.0.1, as a statsd daemon does.
class UdpSink {
 public:
  explicit UdpSink(std::uint16_t port = 0) : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(port);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("no port for the sink");
    }
    socklen_t size = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~UdpSink() { ::close(fd_); }
  UdpSink(const UdpSink&) = delete;
  UdpSink& operator=(const UdpSink&) = delete;

  std::uint16_t port() const { return port_; }

  /// The next datagrams, as many as asked for or as come within 5 s.
  std::vector<std::string> take(std::size_t count) {
    std::vector<std::string> out;
    while (out.size() < count && wait(5'000)) out.push_back(receive());
    return out;
  }

  /// Whether nothing is there now; loopback delivers before send() returns.
  bool empty() { return !wait(0); }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  bool wait(int ms) {
    pollfd ready{fd_, POLLIN, 0};
    return ::poll(&ready, 1, ms) == 1;
  }

  std::string receive() {
    std::array<char, 512> buffer;
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    return n < 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(n));
  }

  int fd_;
  std::uint16_t port_ = 0;
};

}  // namespace rp::node
