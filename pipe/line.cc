#include "pipe/line.h"

#include <algorithm>
#include <cstdint>
#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/tcp.h>  // newer than <netinet/tcp.h>, with which it does not go together

namespace rp::pipe {
namespace {

// A round trip below this, as within a machine, is made of the work of the two ends.
constexpr std::uint32_t kShortRoundTripUs = 50;

}  // namespace

std::size_t bytes_that_fill_the_line(int socket, std::size_t least, std::size_t most) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return most;
  if (info.tcpi_min_rtt <= kShortRoundTripUs) return least;
  const std::uint64_t bytes_per_s = std::min<std::uint64_t>(info.tcpi_delivery_rate, 1ULL << 40);
  const std::uint64_t in_two_round_trips = bytes_per_s * info.tcpi_min_rtt / 500'000;
  return std::clamp<std::size_t>(static_cast<std::size_t>(in_two_round_trips), least, most);
}

}  // namespace rp::pipe
