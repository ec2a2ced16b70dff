#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace rp::rest {

/// Bytes on their way to one non-blocking socket.
class Outbound {
 public:
  /// The buffer to format small things into: what is appended to it is queued. Valid until the
  /// next call of any other member.
  std::string& tail();

  /// Queues `bytes`: small ones are copied behind the tail, so that they leave in one packet with
  /// the head; large ones are moved.
  void append(std::string bytes);

  enum class Outcome : std::uint8_t {
    drained,  ///< everything is with the kernel
    blocked,  ///< the socket takes no more for now
    failed,   ///< the connection is broken
  };
  Outcome flush(int fd);

  bool empty() const { return sent_ == queued(); }
  std::size_t size() const { return static_cast<std::size_t>(queued() - sent_); }
  /// Bytes ever queued and ever sent; their difference is size().
  std::uint64_t queued() const;
  std::uint64_t sent() const { return sent_; }

 private:
  void drop_sent(std::size_t bytes);

  std::deque<std::string> buffers_;
  std::size_t front_sent_ = 0;  ///< bytes of the first buffer that are out already
  std::uint64_t sent_ = 0;
};

}  // namespace rp::rest
