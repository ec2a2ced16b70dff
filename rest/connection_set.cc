#include "rest/connection_set.h"

#include <algorithm>
#include <cerrno>
#include <sys/timerfd.h>
#include <system_error>

#include <unistd.h>

namespace rp::rest {
namespace {

constexpr std::chrono::milliseconds kSweepIntervalMax{1000};
constexpr std::chrono::milliseconds kSweepIntervalMin{5};

std::chrono::milliseconds sweep_interval(const Limits& limits) {
  const auto shortest =
      std::min({limits.head_timeout, limits.idle_timeout, limits.body_grace, limits.write_timeout});
  return std::clamp(shortest / 4, kSweepIntervalMin, kSweepIntervalMax);
}

int make_timer() {
  const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "timerfd_create");
  return fd;
}

}  // namespace

ConnectionSet::ConnectionSet(Shared& shared)
    : TransportPort(shared.limits, shared.guard, shared.handler, shared.streams_body, shared.stats,
                    std::make_shared<Mailbox>(shared.limits.stream_bytes_max)),
      shared_(shared),
      timer_fd_(make_timer()),
      sweep_interval_(sweep_interval(shared.limits)) {}

ConnectionSet::~ConnectionSet() { ::close(timer_fd_); }

Connection* ConnectionSet::find(int fd) const {
  const auto index = static_cast<std::size_t>(fd);
  return index < connections_.size() ? connections_[index].get() : nullptr;
}

Connection* ConnectionSet::find(Key key) const {
  Connection* connection = find(key.fd);
  return connection != nullptr && connection->id() == key.id ? connection : nullptr;
}

void ConnectionSet::add(Arrival arrival) {
  const int fd = arrival.fd;
  const auto index = static_cast<std::size_t>(fd);
  if (connections_.size() <= index) connections_.resize(index + 1);
  connections_[index] = std::make_unique<Connection>(*this, fd, next_id_++, std::move(arrival));
  if (open_++ > 0) return;
  next_sweep_ = now + sweep_interval_;
  arm_timer();
}

void ConnectionSet::forget(Connection& connection) {
  connection.on_closed();
  connections_[static_cast<std::size_t>(connection.fd())].reset();
  --open_;
  {
    // Under the lock, or the waiter could look and fall asleep between the two lines below.
    const std::lock_guard lock(shared_.mutex);
    stats.connections_open.fetch_sub(1, std::memory_order_relaxed);
  }
  shared_.closed_one.notify_all();
}

// --------------------------------------------------------------------- posted work and its end

void ConnectionSet::take_posted() {
  mailbox->take(batch_);
  for (auto& arrival : batch_.arrivals) adopt(std::move(arrival));
  for (const auto& exchange : batch_.ready) deliver(*exchange);
  for (const auto& orphan : batch_.orphans) {
    if (Connection* connection = find(Key{orphan.fd, orphan.connection_id}))
      connection->on_orphan();
  }
  for (auto& task : batch_.tasks) task();  // last: one of them closes everything
  batch_.arrivals.clear();
  batch_.ready.clear();
  batch_.orphans.clear();
  batch_.tasks.clear();
}

void ConnectionSet::deliver(Exchange& exchange) {
  Connection* connection = find(Key{exchange.fd(), exchange.connection_id()});
  if (connection != nullptr && connection->waits_for(exchange)) connection->deliver(exchange);
}

void ConnectionSet::settle() {
  auto& ready = mailbox->local_ready();
  while (!ready.empty() || !flushes_.empty()) {
    // Both lists may grow on the way.
    for (std::size_t i = 0; i < ready.size(); ++i) deliver(*std::shared_ptr(std::move(ready[i])));
    ready.clear();
    for (std::size_t i = 0; i < flushes_.size(); ++i) {
      if (Connection* connection = find(flushes_[i])) connection->flush();
    }
    flushes_.clear();
  }
}

void ConnectionSet::close_due() {
  while (!closes_.empty()) {
    const auto closes = std::exchange(closes_, {});
    for (const Key key : closes) {
      Connection* connection = find(key);
      if (connection == nullptr) continue;
      forget(*connection);
      remove(key.fd);
    }
    settle();
  }
}

void ConnectionSet::drain() {
  draining = true;
  for (const auto& connection : connections_) {
    if (connection) connection->begin_drain();
  }
}

void ConnectionSet::close_all() {
  for (const auto& connection : connections_) {
    if (connection) close_soon(*connection);
  }
  close_due();
  mailbox->close();
}

// -------------------------------------------------------------------------------------- timers

void ConnectionSet::on_timer() {
  if (now >= next_sweep_) {
    for (const auto& connection : connections_) {
      if (connection) connection->sweep();
    }
    next_sweep_ = now + sweep_interval_;
  }
  while (!graces_.empty() && graces_.front().first <= now) {
    const Key key = graces_.front().second;
    graces_.pop_front();
    if (Connection* connection = find(key)) connection->sweep();
  }
  if (open_ > 0) arm_timer();
}

void ConnectionSet::sweep_after_grace(Connection& connection) {
  graces_.emplace_back(now + limits.half_close_grace, key_of(connection));
  arm_timer();
}

void ConnectionSet::arm_timer() {
  auto due = next_sweep_;
  if (!graces_.empty()) due = std::min(due, graces_.front().first);
  const auto wait = std::max<std::chrono::nanoseconds>(due - now, std::chrono::milliseconds(1));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  itimerspec spec{};
  spec.it_value.tv_sec = seconds.count();
  spec.it_value.tv_nsec = (wait - seconds).count();
  ::timerfd_settime(timer_fd_, 0, &spec, nullptr);
}

}  // namespace rp::rest
