#include "rest/transport.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <future>
#include <memory>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include <pistache/reactor.h>
#include <poll.h>
#include <unistd.h>

#include "pipe/log.h"
#include "pipe/wake_batch.h"
#include "rest/connection_set.h"

namespace rp::rest {
namespace {

namespace ps = Pistache;

// What one read takes at most. A buffer belongs to a thread, so an idle connection has none.
constexpr std::size_t kReadBytes = 16 * 1024;

/// One transport thread: what polls and reads its connections.
class Transport final : public ps::Aio::Handler, public ConnectionSet {
 public:
  explicit Transport(Shared& shared)
      : ConnectionSet(shared), shared_(shared), buffer_(std::make_unique<char[]>(kReadBytes)) {}

  // Pistache's side.
  std::shared_ptr<ps::Aio::Handler> clone() const override {
    return std::make_shared<Transport>(shared_);
  }
  void registerPoller(ps::Polling::Epoll& poller) override;
  void onReady(const ps::Aio::FdSet& events) override;

  // The connections' side.
  void watch_writable(Connection& connection) override;

 private:
  void adopt(Arrival arrival) override;
  void remove(int fd) override;
  void on_event(const ps::Aio::FdSet::Entry& entry);
  /// How far to read: until the socket is empty, or has given less than was asked for.
  enum class Until : std::uint8_t { empty, short_read };
  void read(Connection& connection, Until until);
  void look_at_paused(Connection& connection);
  void on_end_of_input(Connection& connection, bool fully);

  Shared& shared_;
  const std::unique_ptr<char[]> buffer_;  ///< of kReadBytes
};

ps::Polling::Tag tag_of(int fd) { return ps::Polling::Tag(static_cast<std::uint64_t>(fd)); }

/// Whether the peer has sent its end. Pistache knows that and keeps it in a private base.
bool has_ended(const ps::Aio::FdSet::Entry& entry) {
  using Event = const ps::Polling::Event&;
  using ps::Polling::NotifyOn;
  const auto flags = Event(entry).flags;  // the one cast that may reach a private base
  return flags.hasFlag(NotifyOn::Shutdown) || flags.hasFlag(NotifyOn::Hangup);
}

/// True when nothing sent to the peer can arrive any more, as opposed to a half-closed one.
bool hung_up(int fd) {
  pollfd state{fd, POLLIN | POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

bool input_ended(int fd) {
  pollfd state{fd, POLLIN | POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & POLLRDHUP) != 0;
}

void Transport::registerPoller(ps::Polling::Epoll& poller) {
  using ps::Polling::NotifyOn;
  for (const int fd : {mailbox->wake_fd(), timer_fd()}) {
    poller.addFd(fd, ps::Flags<NotifyOn>(NotifyOn::Read), tag_of(fd), ps::Polling::Mode::Edge);
  }
}

// ---------------------------------------------------------------------------------------- events

void Transport::onReady(const ps::Aio::FdSet& events) {
  const pipe::WakeBatch batch;
  mailbox->adopt_thread();
  now = pipe::Clock::now();
  const auto reads = take_reads();
  for (const auto& entry : events) {
    const auto fd = static_cast<int>(entry.getTag().value());
    if (fd == mailbox->wake_fd()) {
      take_posted();
    } else if (fd == timer_fd()) {
      on_timer();
    } else {
      on_event(entry);
    }
    settle();
  }
  for (const Key key : reads) {
    if (Connection* connection = find(key)) {
      connection->begin_round();
      read(*connection, Until::empty);
      settle();
    }
  }
  close_due();
  if (has_reads()) mailbox->wake();
}

void Transport::on_event(const ps::Aio::FdSet::Entry& entry) {
  Connection* connection = find(static_cast<int>(entry.getTag().value()));
  if (connection == nullptr) return;
  if (entry.isWritable()) connection->on_writable();
  if (connection->reading_paused()) return look_at_paused(*connection);
  const bool writable_only = entry.isWritable() && !entry.isReadable() && !entry.isHangup();
  if (writable_only) return;
  connection->begin_round();
  read(*connection, has_ended(entry) ? Until::empty : Until::short_read);
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

void Transport::watch_writable(Connection& connection) {
  using ps::Polling::NotifyOn;
  reactor()->modifyFd(key(), connection.fd(), NotifyOn::Read | NotifyOn::Write | NotifyOn::Shutdown,
                      tag_of(connection.fd()), ps::Polling::Mode::Edge);
}

// ------------------------------------------------------------------------------ coming and going

void Transport::adopt(Arrival arrival) {
  using ps::Polling::NotifyOn;
  const int fd = arrival.fd;
  add(std::move(arrival));
  try {
    reactor()->registerFd(key(), fd, NotifyOn::Read | NotifyOn::Shutdown, tag_of(fd),
                          ps::Polling::Mode::Edge);
  } catch (const std::exception& error) {
    log(LogLevel::error, "rest", "a connection could not be polled", {{"error", error.what()}});
    forget(*find(fd));
    ::close(fd);
  }
}

void Transport::remove(int fd) {
  try {
    reactor()->removeFd(key(), fd);
  } catch (const std::exception& error) {
    log(LogLevel::error, "rest", "a connection could not be removed", {{"error", error.what()}});
  }
  ::close(fd);
}

}  // namespace

// -------------------------------------------------------------------------------------- the group

class TransportGroup::Impl {
 public:
  Impl(unsigned threads, const Limits& limits, const Guard& guard, const Handler& handler,
       const Gate::Streams& streams_body, Stats& stats)
      : shared_{limits, guard, handler, streams_body, stats, {}, {}},
        reactor_(ps::Aio::Reactor::create()) {
    reactor_->init(ps::Aio::AsyncContext(threads, "rest"));
    const auto key = reactor_->addHandler(std::make_shared<Transport>(shared_));
    for (const auto& handler_of_thread : reactor_->handlers(key))
      transports_.push_back(std::dynamic_pointer_cast<Transport>(handler_of_thread));
    reactor_->run();
  }

  ~Impl() { stop(); }

  void hand_over(Arrival arrival) {
    const int fd = arrival.fd;
    if (!stopped_ &&
        transports_[next_++ % transports_.size()]->mailbox->arrival(std::move(arrival)))
      return;
    ::close(fd);
    shared_.stats.connections_open.fetch_sub(1, std::memory_order_relaxed);
  }

  void begin_drain() {
    for (const auto& transport : transports_)
      transport->mailbox->task([&owner = *transport] { owner.drain(); });
  }

  bool wait_until_empty(std::chrono::milliseconds timeout) {
    std::unique_lock lock(shared_.mutex);
    return shared_.closed_one.wait_for(lock, timeout, [&] {
      return shared_.stats.connections_open.load(std::memory_order_relaxed) == 0;
    });
  }

  void stop() {
    if (std::exchange(stopped_, true)) return;
    for (const auto& transport : transports_) {
      std::promise<void> closed;
      const bool posted = transport->mailbox->task([&] {
        transport->close_all();
        closed.set_value();
      });
      if (posted) closed.get_future().wait();
    }
    reactor_->shutdown();
    transports_.clear();
    reactor_.reset();  // joins the threads
  }

 private:
  Shared shared_;
  std::shared_ptr<ps::Aio::Reactor> reactor_;
  std::vector<std::shared_ptr<Transport>> transports_;
  std::atomic<std::size_t> next_{0};
  bool stopped_ = false;
};

TransportGroup::TransportGroup(unsigned threads, const Limits& limits, const Guard& guard,
                               const Handler& handler, const Gate::Streams& streams_body,
                               Stats& stats)
    : impl_(std::make_unique<Impl>(threads, limits, guard, handler, streams_body, stats)) {}

TransportGroup::~TransportGroup() = default;

void TransportGroup::hand_over(Arrival arrival) { impl_->hand_over(std::move(arrival)); }
void TransportGroup::begin_drain() { impl_->begin_drain(); }
bool TransportGroup::wait_until_empty(std::chrono::milliseconds timeout) {
  return impl_->wait_until_empty(timeout);
}
void TransportGroup::stop() { impl_->stop(); }

}  // namespace rp::rest
