#include "rest/transport.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <utility>
#include <vector>

#include <pistache/http.h>
#include <pistache/peer.h>
#include <pistache/reactor.h>
#include <pistache/transport.h>
#include <poll.h>
#include <unistd.h>

#include "pipe/log.h"
#include "rest/connection_set.h"

namespace rp::rest {
namespace {

namespace ps = Pistache;

// Bodies beyond this size stay with the connection and only their head goes through Pistache's
// parser, which copies byte by byte on the thread that serves everybody else.
constexpr std::size_t kParsedBodyMax = 64 * 1024;

// Pistache's parser buffers the canonical request: the target, the body and a few fixed words.
constexpr std::size_t kParserOverhead = 20 * 1024;

/// Thrown through Pistache's read loop, the only way to leave it before the socket is empty.
struct ReadLater {};
/// Thrown through Pistache's end-of-file path, so that the peer stays for the answer it is owed.
struct KeepPeer {};

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

/// One transport thread: Pistache's side of its connections.
class Transport final : public ps::Tcp::Transport, public ConnectionSet {
 public:
  explicit Transport(Shared& shared) : Transport(shared, std::make_shared<RequestHandler>(*this)) {}

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
  void watch_writable(Connection& connection) override;

 private:
  Transport(Shared& shared, std::shared_ptr<RequestHandler> parser);

  void adopt(Arrival arrival) override;
  void remove(int fd) override;
  void on_event(const ps::Aio::FdSet::Entry& entry);
  void read(ps::Polling::Tag tag);
  void look_at_paused(Connection& connection);
  void write_canonical(const Request& request);

  Shared& shared_;
  std::shared_ptr<RequestHandler> parser_;
  std::shared_ptr<GateHandler> gate_;
  Connection* parsing_ = nullptr;  ///< whose request is inside Pistache's parser
  bool parsed_ = false;
  std::string canonical_;  ///< reused buffer of pass()
};

ps::Polling::Tag tag_of(int fd) { return ps::Polling::Tag(static_cast<std::uint64_t>(fd)); }

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

Transport::Transport(Shared& shared, std::shared_ptr<RequestHandler> parser)
    : ps::Tcp::Transport(parser),  // binds the parser to this transport ...
      ConnectionSet(shared),
      shared_(shared),
      parser_(std::move(parser)),
      gate_(std::make_shared<GateHandler>(*this)) {
  parser_->setMaxRequestSize(kParsedBodyMax + kParserOverhead);
  init(gate_);  // ... and the gate in front of it
}

void Transport::registerPoller(ps::Polling::Epoll& poller) {
  ps::Tcp::Transport::registerPoller(poller);
  using ps::Polling::NotifyOn;
  for (const int fd : {mailbox->wake_fd(), timer_fd()}) {
    poller.addFd(fd, ps::Flags<NotifyOn>(NotifyOn::Read), tag_of(fd), ps::Polling::Mode::Edge);
  }
}

// ---------------------------------------------------------------------------------------- events

void Transport::onReady(const ps::Aio::FdSet& events) {
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
      read(tag_of(key.fd));
      settle();
    }
  }
  close_due();
  if (has_reads()) mailbox->wake();
}

void Transport::on_event(const ps::Aio::FdSet::Entry& entry) {
  if (Connection* connection = find(static_cast<int>(entry.getTag().value()))) {
    if (entry.isWritable()) connection->on_writable();
    if (connection->reading_paused()) return look_at_paused(*connection);
    const bool writable_only = entry.isWritable() && !entry.isReadable() && !entry.isHangup();
    if (writable_only) return;
    connection->begin_round();
  }
  read(entry.getTag());
}

/// Lets Pistache read: an event of ours that says nothing but "readable".
void Transport::read(ps::Polling::Tag tag) {
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
  forget(*connection);
}

/// The request as Pistache's parser gets it: no headers but the length, no query, and a method that
/// it knows. Everything else stays with the connection.
void Transport::write_canonical(const Request& request) {
  static constexpr std::array<std::string_view, 8> kKnown = {"GET",   "POST", "PUT",     "DELETE",
                                                             "PATCH", "HEAD", "OPTIONS", "TRACE"};
  const bool known = std::find(kKnown.begin(), kKnown.end(), request.method()) != kKnown.end();
  const auto target = request.target();
  const auto path = target.substr(0, target.find_first_of("?#"));
  canonical_.assign(known ? request.method() : "POST").append(" ");
  canonical_.append(path.starts_with('/') ? path : "/").append(" HTTP/1.1\r\n");
  const auto& body = request.body();
  const bool with_body = !body.empty() && body.size() <= kParsedBodyMax;
  if (with_body)
    canonical_.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  canonical_.append("\r\n");
  if (with_body) canonical_ += body;
}

bool Transport::pass(Connection& connection, const Request& request) {
  write_canonical(request);
  parsing_ = &connection;
  parsed_ = false;
  const auto& peer = peers.at(connection.fd());
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

// ------------------------------------------------------------------------------ coming and going

void Transport::adopt(Arrival arrival) {
  const int fd = arrival.fd;
  add(std::move(arrival));
  try {
    handleNewPeer(ps::Tcp::Peer::Create(fd, ps::Address()));
  } catch (const std::exception& error) {
    log(LogLevel::error, "rest", "a connection could not be polled", {{"error", error.what()}});
    peers.erase(fd);
    forget(*find(fd));
    ::close(fd);
  }
}

void Transport::remove(int fd) {
  const auto peer = peers.find(fd);
  if (peer == peers.end()) return;
  try {
    removePeer(std::shared_ptr(peer->second));  // a copy: the entry goes on the way
  } catch (const std::exception& error) {
    log(LogLevel::error, "rest", "a connection could not be removed", {{"error", error.what()}});
  }
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
