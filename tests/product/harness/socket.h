#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/wait.h"

/// Plain loopback sockets for tests that play a peer themselves.
namespace rp::product {

/// Owns a descriptor.
class Socket {
 public:
  explicit Socket(int fd = -1) noexcept : fd_(fd) {}
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  int fd() const noexcept { return fd_; }
  void close() noexcept;

 private:
  int fd_;
};

/// A TCP connection to 127.0.0.1:port, or nothing. `source` is the local address to come from, any
/// of 127.0.0.0/8.
std::optional<Socket> connect_to(std::uint16_t port, const std::string& source = "127.0.0.1");

/// A TCP listener, or a UDP socket, on 127.0.0.1 and a port of the kernel's choice.
Socket listen_on_loopback();
Socket udp_on_loopback();
std::uint16_t port_of(const Socket& socket);

/// The next connection, or nothing within `timeout`.
std::optional<Socket> accept_from(const Socket& listener, TestClock::duration timeout = kPatience);

/// False when the peer is gone.
bool send_all(const Socket& socket, std::string_view bytes);

/// Appends what has arrived to `into`; false at the peer's end of stream, on an error and at the
/// deadline.
bool receive_some(const Socket& socket, std::string& into, TestClock::time_point deadline);

/// Whether the peer closes the connection, orderly or not, within `timeout`; what it sends before
/// is dropped.
bool closes(const Socket& socket, TestClock::duration timeout = kPatience);

}  // namespace rp::product
