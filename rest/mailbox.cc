#include "rest/mailbox.h"

#include <cerrno>
#include <sys/eventfd.h>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "rest/exchange.h"

namespace rp::rest {
namespace {

thread_local const Mailbox* this_threads_mailbox = nullptr;

}  // namespace

Mailbox::Mailbox(std::size_t stream_bytes_max)
    : stream_bytes_max_(stream_bytes_max), wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Mailbox::~Mailbox() {
  for (const Arrival& arrival : posted_.arrivals) ::close(arrival.fd);
  ::close(wake_fd_);
}

template <class Push>
bool Mailbox::post(Push push) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    push(posted_);
    if (woken_) return true;
    const bool waits = posted_.ready.size() < pipe::WakeBatch::kWorthWaking;
    if (waits && pipe::WakeBatch::defer(shared_from_this())) return true;
    woken_ = true;
  }
  wake();
  return true;
}

void Mailbox::wake_for_work() {
  {
    const std::lock_guard lock(mutex_);
    if (woken_ || posted_.empty()) return;
    woken_ = true;
  }
  wake();
}

void Mailbox::ready(std::shared_ptr<Exchange> exchange) {
  if (this_threads_mailbox == this) {
    local_ready_.push_back(std::move(exchange));
  } else {
    post([&](Batch& batch) { batch.ready.push_back(std::move(exchange)); });
  }
}

void Mailbox::orphan(int fd, std::uint64_t connection_id) {
  post([&](Batch& batch) { batch.orphans.push_back({fd, connection_id}); });
}

bool Mailbox::arrival(Arrival arrival) {
  return post([&](Batch& batch) { batch.arrivals.push_back(std::move(arrival)); });
}

bool Mailbox::task(std::function<void()> task) {
  return post([&](Batch& batch) { batch.tasks.push_back(std::move(task)); });
}

void Mailbox::adopt_thread() { this_threads_mailbox = this; }

void Mailbox::take(Batch& batch) {
  const std::lock_guard lock(mutex_);
  std::swap(batch, posted_);
  woken_ = false;
}

void Mailbox::wake() const { ::eventfd_write(wake_fd_, 1); }

void Mailbox::close() {
  Batch dropped;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    std::swap(dropped, posted_);
  }
  for (const Arrival& arrival : dropped.arrivals) ::close(arrival.fd);
}

}  // namespace rp::rest
