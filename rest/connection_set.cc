#include "rest/connection_set.h"

#include <algorithm>
#include <utility>

namespace rp::rest {
namespace {

constexpr std::chrono::milliseconds kSweepIntervalMax{1000};
constexpr std::chrono::milliseconds kSweepIntervalMin{5};

std::chrono::milliseconds sweep_interval(const Limits& limits) {
  const auto shortest =
      std::min({limits.head_timeout, limits.idle_timeout, limits.body_grace, limits.write_timeout});
  return std::clamp(shortest / 4, kSweepIntervalMin, kSweepIntervalMax);
}

}  // namespace

ConnectionSet::ConnectionSet(Shared& shared, std::shared_ptr<pipe::IoThread> thread)
    : TransportPort(
          shared.limits, shared.guard, shared.handler, shared.streams_body, shared.stats,
          std::make_shared<Mailbox>(std::move(thread), *this, shared.limits.stream_bytes_max)),
      shared_(shared),
      sweep_interval_(sweep_interval(shared.limits)) {}

ConnectionSet::~ConnectionSet() = default;

Connection* ConnectionSet::find(int fd) const {
  const auto index = static_cast<std::size_t>(fd);
  return index < connections_.size() ? connections_[index].get() : nullptr;
}

Connection* ConnectionSet::find(Key key) const {
  Connection* connection = find(key.fd);
  return connection != nullptr && connection->id() == key.id ? connection : nullptr;
}

void ConnectionSet::add(int fd, Arrival arrival) {
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

// ----------------------------------------------------------------------- a step and its end

void ConnectionSet::end_step() {
  settle();
  close_due();
  if (!reads_.empty()) read_later();
}

void ConnectionSet::deliver_ready() {
  step([] {});
}

void ConnectionSet::on_orphan(Key key) {
  step([&] {
    if (Connection* connection = find(key)) connection->on_orphan();
  });
}

void ConnectionSet::deliver(Exchange& exchange) {
  Connection* connection = find(Key{exchange.fd(), exchange.connection_id()});
  if (connection != nullptr && connection->waits_for(exchange)) connection->deliver(exchange);
}

void ConnectionSet::settle() {
  auto& ready = mailbox->ready_ones();
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
  step([this] {
    for (const auto& connection : connections_) {
      if (connection) connection->begin_drain();
    }
  });
}

void ConnectionSet::close_all() {
  step([this] {
    for (const auto& connection : connections_) {
      if (connection) close_soon(*connection);
    }
  });
  mailbox->close();
}

// -------------------------------------------------------------------------------------- timers

void ConnectionSet::on_timer() {
  step([this] { sweep(); });
  if (open_ > 0) arm_timer();
}

void ConnectionSet::sweep() {
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
}

void ConnectionSet::sweep_after_grace(Connection& connection) {
  graces_.emplace_back(now + limits.half_close_grace, key_of(connection));
  arm_timer();
}

void ConnectionSet::arm_timer() {
  auto due = next_sweep_;
  if (!graces_.empty()) due = std::min(due, graces_.front().first);
  wake_at(due);
}

}  // namespace rp::rest
