#include "tests/product/harness/udp_sink.h"

#include <algorithm>
#include <array>
#include <regex>
#include <sys/socket.h>

namespace rp::product {

void UdpSink::drain() {
  std::array<char, 2048> buffer;
  for (;;) {
    const auto size = ::recv(socket_.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0) return;
    received_.emplace_back(buffer.data(), static_cast<std::size_t>(size));
  }
}

bool UdpSink::receives(std::string_view text, TestClock::duration timeout) {
  return eventually(timeout, [&] {
    const auto& all = received();
    return std::find(all.begin(), all.end(), text) != all.end();
  });
}

bool UdpSink::receives_timing(std::string_view name, TestClock::duration timeout) {
  return eventually(timeout, [&] {
    const auto& all = received();
    return std::any_of(all.begin(), all.end(), [&](const std::string& datagram) {
      return datagram.starts_with(name) &&
             std::regex_match(datagram.substr(name.size()), std::regex(":[0-9]+\\|ms"));
    });
  });
}

}  // namespace rp::product
