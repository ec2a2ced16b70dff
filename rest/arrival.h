#pragma once

#include <string>

#include "rest/request.h"
#include "rest/stats.h"

namespace rp::rest {

/// A freshly accepted connection on its way to its thread. One that nobody takes is closed.
class Arrival {
 public:
  /// The descriptor is non-blocking and counted in Stats::connections_open; `stats` outlives this.
  Arrival(int fd, Remote its_remote, std::string its_local_address, Stats& stats);
  Arrival(Arrival&& other) noexcept;
  Arrival& operator=(Arrival&&) = delete;
  ~Arrival();

  /// Whoever calls it closes the descriptor and takes it out of the count.
  int take();

  Remote remote;
  std::string local_address;  ///< textual IP address that the client connected to; "" for Unix

 private:
  int fd_;
  Stats& stats_;
};

}  // namespace rp::rest
