#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// Credit-based flow control: the receiver of a body says how many bytes may be on their way.
namespace rp::pipe {

/// The sender's side of a window.
class SendWindow {
 public:
  explicit SendWindow(std::uint32_t initial) : bytes_(initial) {}

  /// How many of `wanted` bytes may be sent now.
  std::size_t available(std::size_t wanted) const { return std::min<std::size_t>(wanted, bytes_); }
  /// Precondition: `bytes` is at most what available() allowed.
  void take(std::size_t bytes) { bytes_ -= static_cast<std::uint32_t>(bytes); }
  /// Credit from the receiver; false if the sum exceeds what the wire allows.
  [[nodiscard]] bool add(std::uint32_t credit) {
    constexpr std::uint32_t kMax = 0x7fffffff;  // proto/pipe.proto, Credit
    if (credit == 0 || credit > kMax - std::min(bytes_, kMax)) return false;
    bytes_ += credit;
    return true;
  }

 private:
  std::uint32_t bytes_;
};

/// The receiver's side. Every byte is take()n when it arrives and give_back() when it has left.
///
/// The window begins small, so that many bodies whose readers are stuck hold little, and doubles
/// with each window that was read, so that one body can fill a long line.
class ReceiveWindow {
 public:
  /// Without `size_max` the window keeps its size.
  explicit ReceiveWindow(std::uint32_t size, std::uint32_t size_max = 0)
      : size_(size), size_max_(size_max), open_(size) {}

  /// False if the sender overran its credit.
  [[nodiscard]] bool take(std::size_t bytes) {
    if (bytes > open_) return false;
    open_ -= static_cast<std::uint32_t>(bytes);
    return true;
  }

  /// Returns the credit to send now: 0 until half of the window is free, so that credit costs
  /// one frame for many bytes.
  std::uint32_t give_back(std::size_t bytes, bool may_grow = false) {
    freed_ += static_cast<std::uint32_t>(bytes);
    if (freed_ < size_ / 2) return 0;
    std::uint32_t credit = freed_;
    read_ += freed_;
    freed_ = 0;
    if (may_grow && read_ >= size_ && size_ < size_max_) {
      const std::uint32_t more = std::min(size_, size_max_ - size_);
      size_ += more;
      credit += more;
      read_ = 0;
    }
    open_ += credit;
    return credit;
  }

 private:
  std::uint32_t size_;
  std::uint32_t size_max_;
  std::uint32_t open_;       // bytes the sender may still send
  std::uint32_t read_ = 0;   // consumed since the window last grew
  std::uint32_t freed_ = 0;  // consumed and not yet given back as credit
};

}  // namespace rp::pipe
