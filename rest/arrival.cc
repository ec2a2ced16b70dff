#include "rest/arrival.h"

#include <utility>

#include <unistd.h>

namespace rp::rest {

Arrival::Arrival(int fd, Remote its_remote, std::string its_local_address, Stats& stats)
    : remote(std::move(its_remote)),
      local_address(std::move(its_local_address)),
      fd_(fd),
      stats_(stats) {}

Arrival::Arrival(Arrival&& other) noexcept
    : remote(std::move(other.remote)),
      local_address(std::move(other.local_address)),
      fd_(other.take()),
      stats_(other.stats_) {}

Arrival::~Arrival() {
  if (fd_ < 0) return;
  ::close(fd_);
  stats_.connections_open.fetch_sub(1, std::memory_order_relaxed);
}

int Arrival::take() { return std::exchange(fd_, -1); }

}  // namespace rp::rest
