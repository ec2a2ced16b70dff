#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

namespace rp::handlers {

/// One connection as the application of a test sees it. Every wait ends after 20 s.
class AppConnection {
 public:
  explicit AppConnection(int fd) : fd_(fd) {}
  ~AppConnection() { close(); }
  AppConnection(const AppConnection&) = delete;
  AppConnection& operator=(const AppConnection&) = delete;

  /// Up to and with the empty line; "" when the peer closes first.
  std::string read_head() {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      const auto byte = read(1);
      if (byte.empty()) return {};
      head += byte;
    }
    return head;
  }
  /// Fewer only at the end of the stream.
  std::string read(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::size_t filled = 0;
    while (filled < bytes && readable()) {
      const auto n = ::recv(fd_, text.data() + filled, bytes - filled, 0);
      if (n <= 0) break;
      filled += static_cast<std::size_t>(n);
    }
    text.resize(filled);
    return text;
  }
  void send(std::string_view text) {
    while (!text.empty()) {
      const auto n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  bool closed_by_peer() { return read(1).empty(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  bool readable() const {
    pollfd wait{fd_, POLLIN, 0};
    return ::poll(&wait, 1, 20'000) == 1;
  }

  int fd_;
};

/// An HTTP application that does, on each connection, what the test's script says.
class ScriptedApp {
 public:
  using Script = std::function<void(AppConnection&)>;

  /// On 127.0.0.1, or on a Unix socket where a path is given.
  explicit ScriptedApp(Script script, const std::string& unix_path = {})
      : script_(std::move(script)) {
    if (unix_path.empty()) {
      listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      bind_to(address);
      socklen_t size = sizeof(address);
      ::getsockname(listener_, as_address(address), &size);
      port_ = ntohs(address.sin_port);
    } else {
      listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      unix_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
      bind_to(address);
    }
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~ScriptedApp() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
    ::close(listener_);
  }
  ScriptedApp(const ScriptedApp&) = delete;
  ScriptedApp& operator=(const ScriptedApp&) = delete;

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  template <class Address>
  static sockaddr* as_address(Address& address) {
    return reinterpret_cast<sockaddr*>(&address);  // NOLINT: what the socket interface asks for
  }
  template <class Address>
  void bind_to(Address& address) {
    EXPECT_EQ(::bind(listener_, as_address(address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listener_, 64), 0);
  }
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections_;
      threads_.emplace_back([this, fd] {
        AppConnection connection(fd);
        script_(connection);
      });
    }
  }

  const Script script_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::vector<std::thread> threads_;  // of the acceptor, until it has ended
  std::thread acceptor_;
};

}  // namespace rp::handlers
