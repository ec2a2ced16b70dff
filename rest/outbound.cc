#include "rest/outbound.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace rp::rest {
namespace {

constexpr std::size_t kCopyMax = 16 * 1024;     // below it a copy is cheaper than a buffer more
constexpr std::size_t kKeptCapacityMax = 4096;  // what an idle connection may hold on to
constexpr std::size_t kVectorsMax = 16;         // buffers per system call

}  // namespace

std::string& Outbound::tail() {
  if (buffers_.empty() || buffers_.back().size() >= kCopyMax) buffers_.emplace_back();
  return buffers_.back();
}

void Outbound::append(std::string bytes) {
  if (bytes.size() <= kCopyMax) {
    tail() += bytes;
  } else {
    buffers_.push_back(std::move(bytes));
  }
}

std::uint64_t Outbound::queued() const {
  std::uint64_t total = sent_ - front_sent_;
  for (const std::string& buffer : buffers_) total += buffer.size();
  return total;
}

Outbound::Outcome Outbound::flush(int fd) {
  while (!empty()) {
    std::array<iovec, kVectorsMax> vectors;
    std::size_t count = 0;
    std::size_t offset = front_sent_;
    for (auto buffer = buffers_.begin(); buffer != buffers_.end() && count < kVectorsMax;
         ++buffer) {
      if (buffer->size() > offset)
        vectors[count++] = {buffer->data() + offset, buffer->size() - offset};
      offset = 0;
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent >= 0) {
      drop_sent(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Outcome::blocked;
    } else if (errno != EINTR) {
      return Outcome::failed;
    }
  }
  return Outcome::drained;
}

void Outbound::drop_sent(std::size_t bytes) {
  sent_ += bytes;
  while (!buffers_.empty()) {
    std::string& front = buffers_.front();
    const auto step = std::min(bytes, front.size() - front_sent_);
    front_sent_ += step;
    bytes -= step;
    if (front_sent_ < front.size()) return;
    front_sent_ = 0;
    if (buffers_.size() == 1 && front.capacity() <= kKeptCapacityMax) {
      front.clear();
      return;
    }
    buffers_.pop_front();
  }
}

}  // namespace rp::rest
