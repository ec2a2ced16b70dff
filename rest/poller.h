#pragma once

#include <memory>
#include <span>

namespace rp::rest {

/// Tells what happens to many sockets, edge by edge: Pistache's poller, and a descriptor that is
/// readable while it has something to tell. So a thread that waits for other things as well waits
/// for all of them in one place.
///
/// Belongs to one thread.
class Poller {
 public:
  struct Event {
    int fd;
    bool readable;
    bool writable;
    bool ended;  ///< the peer has sent its end, or the connection is gone
  };

  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Waits for input and its end from now on. Throws std::exception when the system refuses.
  void add(int fd);
  /// The same, and for room to write.
  void add_writable(int fd);
  void remove(int fd);

  /// What has happened since the last call, without waiting. Valid until the next one.
  std::span<const Event> poll();

  /// Stays the poller's.
  int descriptor() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rp::rest
