#include "rest/transport.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <sys/timerfd.h>
#include <system_error>
#include <utility>
#include <vector>

#include <pistache/http.h>
#include <pistache/peer.h>
#include <pistache/reactor.h>
#include <pistache/transport.h>
#include <poll.h>
#include <unistd.h>

#include "pipe/log.h"
#include "rest/connection.h"

namespace rp::rest {
namespace {

namespace ps = Pistache;

// Bodies beyond this size stay with the connection and only their head goes through Pistache's
// parser, which copies byte by byte on the thread that serves everybody else.
constexpr std::size_t kParsedBodyMax = 64 * 1024;

// Pistache's parser buffers the canonical request: the target, the body and a few fixed words.
constexpr std::size_t kParserOverhead = 20 * 1024;

constexpr std::chrono::milliseconds kSweepIntervalMax{1000};
constexpr std::chrono::milliseconds kSweepIntervalMin{5};

/// Thrown through Pistache's read loop, the only way to leave it before the socket is empty.
struct ReadLater {};
/// Thrown through Pistache's end-of-file path, so that the peer stays for the answer it is owed.
struct KeepPeer {};

/// What all transport threads share; outlives them.
struct Shared {
  const Limits& limits;
  const Guard& guard;
  const Handler& handler;
  Stats& stats;
  std::mutex mutex;
  std::condition_variable closed_one;  ///< with mutex: a connection has closed
};

class Transport;

/// First to see the bytes: hands them to the connection's gate.
class GateHandler final : public ps::Tcp::Handler {
  PROTOTYPE_OF(ps::Tcp::Handler, GateHandler)
 public:
  explicit GateHandler(Transport& owner) : owner_(&owner) {}
  void onInput(const char* bytes, std::size_t size,
               const std::shared_ptr<ps::Tcp::Peer>& peer) override;
  void onConnection(const std::shared_ptr<ps::Tcp::Peer>& peer) override;
  void onDisconnection(const std::shared_ptr<ps::Tcp::Peer>& peer) override;

 private:
  Transport* owner_;
};

/// Behind the gate: Pistache's own HTTP handler, fed with one canonical request at a time.
class RequestHandler final : public ps::Http::Handler {
  HTTP_PROTOTYPE(RequestHandler)
 public:
  explicit RequestHandler(Transport& owner) : owner_(&owner) {}
  void onRequest(const ps::Http::Request& request, ps::Http::ResponseWriter response) override;

 private:
  Transport* owner_;
};

class Transport final : public ps::Tcp::Transport, public TransportPort {
 public:
  explicit Transport(Shared& shared) : Transport(shared, std::make_shared<RequestHandler>(*this)) {}
  ~Transport() override;

  // Pistache's side.
  std::shared_ptr<ps::Aio::Handler> clone() const override {
    return std::make_shared<Transport>(shared_);
  }
  void registerPoller(ps::Polling::Epoll& poller) override;
  void onReady(const ps::Aio::FdSet& events) override;

  // The handlers' side.
  void on_input(int fd, std::string_view bytes);
  void on_connection(const std::shared_ptr<ps::Tcp::Peer>& peer);
  void on_end_of_input(int fd);
  void on_parsed();

  // The connections' side.
  bool pass(Connection& connection, const Request& request) override;
  void flush_soon(Connection& connection) override { flushes_.push_back(key_of(connection)); }
  void close_soon(Connection& connection) override { closes_.push_back(key_of(connection)); }
  void read_soon(Connection& connection) override { reads_.push_back(key_of(connection)); }
  void watch_writable(Connection& connection) override;
  void sweep_after_grace(Connection& connection) override;

  /// On the transport thread.
  void drain();
  void close_all();

 private:
  struct Key {
    int fd;
    std::uint64_t id;
  };
  struct Slot {
    std::unique_ptr<Connection> connection;
    std::shared_ptr<ps::Tcp::Peer> peer;
  };

  Transport(Shared& shared, std::shared_ptr<RequestHandler> parser);

  static Key key_of(const Connection& connection) { return {connection.fd(), connection.id()}; }
  Connection* find(int fd) const;
  Connection* find(Key key) const;

  void on_event(const ps::Aio::FdSet::Entry& entry);
  void pass_to_base(ps::Polling::Tag tag);
  void look_at_paused(Connection& connection);
  void take_posted();
  void adopt(Arrival arrival);
  void deliver(Exchange& exchange);
  void settle();
  void close_due();
  void close(Connection& connection);
  void drop_slot(int fd);
  void on_timer();
  void arm_timer();

  Shared& shared_;
  std::shared_ptr<RequestHandler> parser_;
  std::shared_ptr<GateHandler> gate_;
  const int timer_fd_;
  const std::chrono::milliseconds sweep_interval_;

  std::vector<Slot> slots_;  ///< by descriptor
  std::size_t open_ = 0;     ///< slots in use
  std::uint64_t next_id_ = 1;
  Connection* parsing_ = nullptr;  ///< whose request is inside Pistache's parser
  bool parsed_ = false;
  std::string canonical_;  ///< reused buffer of pass()

  Mailbox::Batch batch_;
  std::vector<Key> flushes_;
  std::vector<Key> closes_;
  std::vector<Key> reads_;
  std::deque<std::pair<pipe::Clock::time_point, Key>> graces_;  ///< in the order of their due time
  pipe::Clock::time_point next_sweep_{};
};

// ------------------------------------------------------------------------------ the two handlers

void GateHandler::onInput(const char* bytes, std::size_t size,
                          const std::shared_ptr<ps::Tcp::Peer>& peer) {
  owner_->on_input(peer->fd(), {bytes, size});
}

void GateHandler::onConnection(const std::shared_ptr<ps::Tcp::Peer>& peer) {
  owner_->on_connection(peer);
}

void GateHandler::onDisconnection(const std::shared_ptr<ps::Tcp::Peer>& peer) {
  owner_->on_end_of_input(peer->fd());
}

void RequestHandler::onRequest(const ps::Http::Request& /*request*/,
                               ps::Http::ResponseWriter /*response*/) {
  owner_->on_parsed();
}

// ---------------------------------------------------------------------------------- construction

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

Transport::Transport(Shared& shared, std::shared_ptr<RequestHandler> parser)
    : ps::Tcp::Transport(parser),  // binds the parser to this transport ...
      TransportPort(shared.limits, shared.guard, shared.handler, shared.stats,
                    std::make_shared<Mailbox>(shared.limits.stream_bytes_max)),
      shared_(shared),
      parser_(std::move(parser)),
      gate_(std::make_shared<GateHandler>(*this)),
      timer_fd_(make_timer()),
      sweep_interval_(sweep_interval(shared.limits)) {
  parser_->setMaxRequestSize(kParsedBodyMax + kParserOverhead);
  init(gate_);  // ... and the gate in front of it
}

Transport::~Transport() { ::close(timer_fd_); }

void Transport::registerPoller(ps::Polling::Epoll& poller) {
  ps::Tcp::Transport::registerPoller(poller);
  using ps::Polling::NotifyOn;
  for (const int fd : {mailbox->wake_fd(), timer_fd_}) {
    poller.addFd(fd, ps::Flags<NotifyOn>(NotifyOn::Read),
                 ps::Polling::Tag(static_cast<std::uint64_t>(fd)), ps::Polling::Mode::Edge);
  }
}

// ---------------------------------------------------------------------------------------- events

void Transport::onReady(const ps::Aio::FdSet& events) {
  mailbox->adopt_thread();
  now = pipe::Clock::now();
  const auto reads = std::exchange(reads_, {});
  for (const auto& entry : events) {
    const auto fd = static_cast<int>(entry.getTag().value());
    if (fd == mailbox->wake_fd()) {
      take_posted();
    } else if (fd == timer_fd_) {
      on_timer();
    } else {
      on_event(entry);
    }
    settle();
  }
  for (const Key key : reads) {
    if (Connection* connection = find(key)) {
      connection->begin_round();
      pass_to_base(ps::Polling::Tag(static_cast<std::uint64_t>(key.fd)));
      settle();
    }
  }
  close_due();
  if (!reads_.empty()) mailbox->wake();
}

void Transport::on_event(const ps::Aio::FdSet::Entry& entry) {
  if (Connection* connection = find(static_cast<int>(entry.getTag().value()))) {
    if (entry.isWritable()) connection->on_writable();
    if (connection->reading_paused()) return look_at_paused(*connection);
    const bool writable_only = entry.isWritable() && !entry.isReadable() && !entry.isHangup();
    if (writable_only) return;
    connection->begin_round();
  }
  pass_to_base(entry.getTag());
}

/// Lets Pistache read: an event of ours that says nothing but "readable".
void Transport::pass_to_base(ps::Polling::Tag tag) {
  ps::Polling::Event event(tag);
  event.flags.setFlag(ps::Polling::NotifyOn::Read);
  std::vector<ps::Polling::Event> events;
  events.push_back(event);
  try {
    ps::Tcp::Transport::onReady(ps::Aio::FdSet(std::move(events)));
  } catch (const ReadLater&) {
    // The end of input may have arrived already, and would not be announced again.
    Connection* connection = find(static_cast<int>(tag.value()));
    if (connection != nullptr && connection->reading_paused()) look_at_paused(*connection);
  } catch (const KeepPeer&) {
  } catch (const std::exception& error) {
    log(LogLevel::error, "rest", "the HTTP transport failed on a connection",
        {{"error", error.what()}});
    if (Connection* connection = find(static_cast<int>(tag.value()))) close_soon(*connection);
  }
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

/// A paused connection is not read from, so its end has to be asked for.
void Transport::look_at_paused(Connection& connection) {
  const int fd = connection.fd();
  if (hung_up(fd)) {
    close_soon(connection);
  } else if (input_ended(fd)) {
    connection.on_end_of_input(false);
  }
}

void Transport::on_input(int fd, std::string_view bytes) {
  Connection* connection = find(fd);
  if (connection == nullptr) return;
  switch (connection->on_input(bytes)) {
    case Connection::Reading::go_on:
      return;
    case Connection::Reading::yield:
      read_soon(*connection);
      throw ReadLater{};
    case Connection::Reading::pause:
      throw ReadLater{};
  }
}

void Transport::on_connection(const std::shared_ptr<ps::Tcp::Peer>& peer) {
  static_cast<ps::Tcp::Handler&>(*parser_).onConnection(peer);
}

void Transport::on_end_of_input(int fd) {
  Connection* connection = find(fd);
  if (connection == nullptr) return;
  if (connection->on_end_of_input(hung_up(fd))) throw KeepPeer{};
  connection->on_closed();
  drop_slot(fd);
}

bool Transport::pass(Connection& connection, const Request& request) {
  static constexpr std::array<std::string_view, 8> kKnown = {"GET",   "POST", "PUT",     "DELETE",
                                                             "PATCH", "HEAD", "OPTIONS", "TRACE"};
  const bool known = std::find(kKnown.begin(), kKnown.end(), request.method()) != kKnown.end();
  const auto target = request.target();
  const auto path = target.substr(0, target.find_first_of("?#"));
  canonical_.assign(known ? request.method() : "POST").append(" ");
  canonical_.append(path.starts_with('/') ? path : "/").append(" HTTP/1.1\r\n");
  const bool with_body = !request.body().empty() && request.body().size() <= kParsedBodyMax;
  if (with_body)
    canonical_.append("Content-Length: ")
        .append(std::to_string(request.body().size()))
        .append("\r\n");
  canonical_.append("\r\n");
  if (with_body) canonical_ += request.body();

  parsing_ = &connection;
  parsed_ = false;
  const auto& peer = slots_[static_cast<std::size_t>(connection.fd())].peer;
  static_cast<ps::Tcp::Handler&>(*parser_).onInput(canonical_.data(), canonical_.size(), peer);
  parsing_ = nullptr;
  return parsed_;
}

void Transport::on_parsed() {
  parsed_ = true;
  parsing_->dispatch();
}

void Transport::watch_writable(Connection& connection) {
  using ps::Polling::NotifyOn;
  reactor()->modifyFd(key(), connection.fd(), NotifyOn::Read | NotifyOn::Write | NotifyOn::Shutdown,
                      ps::Polling::Mode::Edge);
}

// ------------------------------------------------------------------------- posted work and flush

void Transport::take_posted() {
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

void Transport::adopt(Arrival arrival) {
  const int fd = arrival.fd;
  const auto index = static_cast<std::size_t>(fd);
  if (slots_.size() <= index) slots_.resize(index + 1);
  auto peer = ps::Tcp::Peer::Create(fd, ps::Address());
  slots_[index] = {std::make_unique<Connection>(*this, fd, next_id_++, std::move(arrival)), peer};
  if (open_++ == 0) {
    next_sweep_ = now + sweep_interval_;
    arm_timer();
  }
  try {
    handleNewPeer(peer);
  } catch (const std::exception& error) {
    log(LogLevel::error, "rest", "a connection could not be polled", {{"error", error.what()}});
    peers.erase(fd);
    drop_slot(fd);
    ::close(fd);
  }
}

void Transport::deliver(Exchange& exchange) {
  Connection* connection = find(Key{exchange.fd(), exchange.connection_id()});
  if (connection != nullptr && connection->waits_for(exchange)) connection->deliver(exchange);
}

/// Delivers what became ready on this thread and flushes, until nothing new comes of it. Both lists
/// may grow on the way.
void Transport::settle() {
  auto& ready = mailbox->local_ready();
  while (!ready.empty() || !flushes_.empty()) {
    for (std::size_t i = 0; i < ready.size(); ++i) deliver(*std::shared_ptr(std::move(ready[i])));
    ready.clear();
    for (std::size_t i = 0; i < flushes_.size(); ++i) {
      if (Connection* connection = find(flushes_[i])) connection->flush();
    }
    flushes_.clear();
  }
}

// --------------------------------------------------------------------------------------- closing

void Transport::close_due() {
  while (!closes_.empty()) {
    const auto closes = std::exchange(closes_, {});
    for (const Key key : closes) {
      if (Connection* connection = find(key)) close(*connection);
    }
    settle();
  }
}

void Transport::close(Connection& connection) {
  const int fd = connection.fd();
  const auto peer = slots_[static_cast<std::size_t>(fd)].peer;
  connection.on_closed();
  drop_slot(fd);
  try {
    removePeer(peer);
  } catch (const std::exception& error) {
    log(LogLevel::error, "rest", "a connection could not be removed", {{"error", error.what()}});
  }
}

void Transport::drop_slot(int fd) {
  slots_[static_cast<std::size_t>(fd)] = {};
  --open_;
  {
    const std::lock_guard lock(shared_.mutex);
    stats.connections_open.fetch_sub(1, std::memory_order_relaxed);
  }
  shared_.closed_one.notify_all();
}

void Transport::drain() {
  draining = true;
  for (const Slot& slot : slots_) {
    if (slot.connection) slot.connection->begin_drain();
  }
}

void Transport::close_all() {
  for (const Slot& slot : slots_) {
    if (slot.connection) close_soon(*slot.connection);
  }
  close_due();
  mailbox->close();
}

// ---------------------------------------------------------------------------------------- timers

void Transport::on_timer() {
  if (now >= next_sweep_) {
    for (const Slot& slot : slots_) {
      if (slot.connection) slot.connection->sweep();
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

void Transport::sweep_after_grace(Connection& connection) {
  graces_.emplace_back(now + limits.half_close_grace, key_of(connection));
  arm_timer();
}

void Transport::arm_timer() {
  auto due = next_sweep_;
  if (!graces_.empty()) due = std::min(due, graces_.front().first);
  const auto wait = std::max<std::chrono::nanoseconds>(due - now, std::chrono::milliseconds(1));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  itimerspec spec{};
  spec.it_value.tv_sec = seconds.count();
  spec.it_value.tv_nsec = (wait - seconds).count();
  ::timerfd_settime(timer_fd_, 0, &spec, nullptr);
}

Connection* Transport::find(int fd) const {
  const auto index = static_cast<std::size_t>(fd);
  return index < slots_.size() ? slots_[index].connection.get() : nullptr;
}

Connection* Transport::find(Key key) const {
  Connection* connection = find(key.fd);
  return connection != nullptr && connection->id() == key.id ? connection : nullptr;
}

}  // namespace

// -------------------------------------------------------------------------------------- the group

class TransportGroup::Impl {
 public:
  Impl(unsigned threads, const Limits& limits, const Guard& guard, const Handler& handler,
       Stats& stats)
      : shared_{limits, guard, handler, stats, {}, {}}, reactor_(ps::Aio::Reactor::create()) {
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
                               const Handler& handler, Stats& stats)
    : impl_(std::make_unique<Impl>(threads, limits, guard, handler, stats)) {}

TransportGroup::~TransportGroup() = default;

void TransportGroup::hand_over(Arrival arrival) { impl_->hand_over(std::move(arrival)); }
void TransportGroup::begin_drain() { impl_->begin_drain(); }
bool TransportGroup::wait_until_empty(std::chrono::milliseconds timeout) {
  return impl_->wait_until_empty(timeout);
}
void TransportGroup::stop() { impl_->stop(); }

}  // namespace rp::rest
