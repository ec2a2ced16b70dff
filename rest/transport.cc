#include "rest/transport.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <poll.h>
#include <unistd.h>

#include "pipe/io_thread.h"
#include "pipe/log.h"
#include "rest/connection_set.h"
#include "rest/poller.h"

namespace rp::rest {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// What one read takes at most. A buffer belongs to a thread, so an idle connection has none.
constexpr std::size_t kReadBytes = 16 * 1024;

/// What polls and reads the connections of one thread. Everything happens on that thread.
class Transport final : public ConnectionSet, public std::enable_shared_from_this<Transport> {
 public:
  Transport(Shared& shared, std::shared_ptr<pipe::IoThread> thread);

  /// Begins to poll.
  void start() { wait(); }
  void adopt(Arrival arrival);
  /// Closes every connection and lets go of the thread's event loop.
  void stop();
  bool stopped() const { return !events_; }

  // The connections' side.
  void watch_writable(Connection& connection) override;

 private:
  void remove(int fd) override;
  void wake_at(pipe::Clock::time_point at) override;
  void read_later() override;

  void wait();
  void on_events();
  void on_event(const Poller::Event& event);
  /// How far to read: until the socket is empty, or has given less than was asked for.
  enum class Until : std::uint8_t { empty, short_read };
  void read(Connection& connection, Until until);
  void read_on();
  void look_at_paused(Connection& connection);
  void on_end_of_input(Connection& connection, bool fully);

  const std::shared_ptr<pipe::IoThread> thread_;
  const std::unique_ptr<char[]> buffer_;  ///< of kReadBytes
  Poller poller_;
  // These two until stop(): handlers that are still queued refer weakly to this.
  std::optional<asio::posix::stream_descriptor> events_;  ///< borrows the poller's descriptor
  std::optional<asio::steady_timer> timer_;
  bool reads_later_ = false;
};

/// True when nothing sent to the peer can arrive any more, as opposed to a half-closed one.
bool hung_up(int fd) {
  pollfd state{fd, POLLIN | POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

bool input_ended(int fd) {
  pollfd state{fd, POLLIN | POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & POLLRDHUP) != 0;
}

Transport::Transport(Shared& shared, std::shared_ptr<pipe::IoThread> thread)
    : ConnectionSet(shared, thread),
      thread_(std::move(thread)),
      buffer_(std::make_unique<char[]>(kReadBytes)),
      events_(std::in_place, thread_->context(), poller_.descriptor()),
      timer_(std::in_place, thread_->context()) {}

void Transport::stop() {
  close_all();
  events_->release();
  events_.reset();
  timer_.reset();
}

// ---------------------------------------------------------------------------------------- events

void Transport::wait() {
  events_->async_wait(asio::posix::stream_descriptor::wait_read,
                      [weak = weak_from_this()](error_code ec) {
                        if (ec) return;
                        if (const auto self = weak.lock()) self->on_events();
                      });
}

void Transport::on_events() {
  {
    const pipe::IoThread::Turn turn(*thread_);
    const pipe::WakeBatch batch;
    step([this] {
      for (const Poller::Event& event : poller_.poll()) {
        on_event(event);
        settle();
      }
    });
  }
  if (events_) wait();
}

void Transport::on_event(const Poller::Event& event) {
  Connection* connection = find(event.fd);
  if (connection == nullptr) return;
  if (event.writable) connection->on_writable();
  if (connection->reading_paused()) return look_at_paused(*connection);
  if (event.writable && !event.readable && !event.ended) return;
  connection->begin_round();
  read(*connection, event.ended ? Until::empty : Until::short_read);
}

/// No event comes for what is left in the socket. What comes after a short read has an event of its
/// own, but for an end of input that was told together with the input before it.
void Transport::read(Connection& connection, Until until) {
  for (;;) {
    const ssize_t received = ::recv(connection.fd(), buffer_.get(), kReadBytes, 0);
    if (received == 0) return on_end_of_input(connection, hung_up(connection.fd()));
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) on_end_of_input(connection, true);
      return;
    }
    switch (connection.on_input({buffer_.get(), static_cast<std::size_t>(received)})) {
      case Connection::Reading::go_on:
        if (until == Until::short_read && received < ssize_t{kReadBytes}) return;
        break;
      case Connection::Reading::yield:
        return read_soon(connection);
      case Connection::Reading::pause:
        return look_at_paused(connection);
    }
  }
}

void Transport::read_later() {
  if (std::exchange(reads_later_, true)) return;
  thread_->post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->read_on();
  });
}

void Transport::read_on() {
  reads_later_ = false;
  step([this] {
    for (const Key key : take_reads()) {
      Connection* connection = find(key);
      if (connection == nullptr) continue;
      connection->begin_round();
      read(*connection, Until::empty);
      settle();
    }
  });
}

/// A paused connection is not read from, so its end has to be asked for.
void Transport::look_at_paused(Connection& connection) {
  const int fd = connection.fd();
  if (hung_up(fd)) {
    close_soon(connection);
  } else if (input_ended(fd)) {
    connection.on_end_of_input(false);
  }
}

void Transport::on_end_of_input(Connection& connection, bool fully) {
  if (!connection.on_end_of_input(fully)) close_soon(connection);
}

void Transport::watch_writable(Connection& connection) { poller_.add_writable(connection.fd()); }

void Transport::wake_at(pipe::Clock::time_point at) {
  timer_->expires_at(at);
  timer_->async_wait([weak = weak_from_this()](error_code ec) {
    if (ec) return;
    const auto self = weak.lock();
    if (self && self->timer_) self->on_timer();
  });
}

// ------------------------------------------------------------------------------ coming and going

void Transport::adopt(Arrival arrival) {
  step([&] {
    const int fd = arrival.take();
    add(fd, std::move(arrival));
    try {
      poller_.add(fd);
    } catch (const std::exception& error) {
      log(LogLevel::error, "rest", "a connection could not be polled", {{"error", error.what()}});
      forget(*find(fd));
      ::close(fd);
    }
  });
}

void Transport::remove(int fd) {
  try {
    poller_.remove(fd);
  } catch (const std::exception& error) {
    log(LogLevel::error, "rest", "a connection could not be removed", {{"error", error.what()}});
  }
  ::close(fd);
}

}  // namespace

// -------------------------------------------------------------------------------------- the group

class TransportGroup::Impl {
 public:
  Impl(const std::vector<std::shared_ptr<pipe::IoThread>>& threads, const Limits& limits,
       const Guard& guard, const Handler& handler, const Gate::Streams& streams_body, Stats& stats)
      : shared_{limits, guard, handler, streams_body, stats, {}, {}} {
    for (const auto& thread : threads) {
      const auto transport = std::make_shared<Transport>(shared_, thread);
      places_.push_back({thread, transport});
      // A thread that never runs must not be kept by what waits for it.
      thread->post([weak = std::weak_ptr(transport)] {
        const auto held = weak.lock();
        if (held && !held->stopped()) held->start();
      });
    }
  }

  ~Impl() { stop(); }

  void hand_over(Arrival arrival) {
    const Place& place = places_[next_++ % places_.size()];
    place.thread->post(
        [weak = std::weak_ptr(place.transport), arrival = std::move(arrival)]() mutable {
          const auto transport = weak.lock();
          if (transport && !transport->stopped()) transport->adopt(std::move(arrival));
        });
  }

  void begin_drain() {
    for (const Place& place : places_) {
      place.thread->post([transport = place.transport] { transport->drain(); });
    }
  }

  bool wait_until_empty(std::chrono::milliseconds timeout) {
    std::unique_lock lock(shared_.mutex);
    return shared_.closed_one.wait_for(lock, timeout, [&] {
      return shared_.stats.connections_open.load(std::memory_order_relaxed) == 0;
    });
  }

  void stop() {
    if (std::exchange(stopped_, true)) return;
    for (const Place& place : places_) {
      if (!place.thread->is_running()) {
        place.transport->stop();
        continue;
      }
      std::promise<void> stopped;
      place.thread->post([&] {
        place.transport->stop();
        stopped.set_value();
      });
      stopped.get_future().wait();
    }
  }

 private:
  struct Place {
    std::shared_ptr<pipe::IoThread> thread;
    std::shared_ptr<Transport> transport;
  };
  Shared shared_;
  std::vector<Place> places_;
  std::atomic<std::size_t> next_{0};
  bool stopped_ = false;
};

TransportGroup::TransportGroup(const std::vector<std::shared_ptr<pipe::IoThread>>& threads,
                               const Limits& limits, const Guard& guard, const Handler& handler,
                               const Gate::Streams& streams_body, Stats& stats)
    : impl_(std::make_unique<Impl>(threads, limits, guard, handler, streams_body, stats)) {}

TransportGroup::~TransportGroup() = default;

void TransportGroup::hand_over(Arrival arrival) { impl_->hand_over(std::move(arrival)); }
void TransportGroup::begin_drain() { impl_->begin_drain(); }
bool TransportGroup::wait_until_empty(std::chrono::milliseconds timeout) {
  return impl_->wait_until_empty(timeout);
}
void TransportGroup::stop() { impl_->stop(); }

}  // namespace rp::rest
