#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/product/harness/socket.h"

namespace rp::product {

/// Takes the datagrams that a node sends to its statsd server. What arrives between two looks waits
/// in the kernel.
class UdpSink {
 public:
  UdpSink() : socket_(udp_on_loopback()) {}

  std::uint16_t port() const { return port_of(socket_); }

  /// All datagrams so far, oldest first.
  const std::vector<std::string>& received() {
    drain();
    return received_;
  }

  /// Waits until one equals `text`.
  bool receives(std::string_view text, TestClock::duration timeout = kPatience);

  /// Waits until one is NAME:<whole number>|ms.
  bool receives_timing(std::string_view name, TestClock::duration timeout = kPatience);

 private:
  void drain();

  Socket socket_;
  std::vector<std::string> received_;
};

}  // namespace rp::product
