#include "tests/product/harness/fault_proxy.h"

#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include <fcntl.h>
#include <poll.h>

namespace rp::product {
namespace {

// How much of a direction may wait here; then its sender waits.
constexpr std::size_t kWaitingBytesMax = 256 * 1024;

// Longest time in which a call of a member is not seen.
constexpr int kTurnMs = 5;

void make_nonblocking(const Socket& socket) {
  ::fcntl(socket.fd(), F_SETFL, ::fcntl(socket.fd(), F_GETFL) | O_NONBLOCK);
  const int on = 1;
  ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void reset_on_close(const Socket& socket) {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

bool would_block() { return errno == EAGAIN || errno == EINTR; }

/// False at the end of the stream.
bool drop_input(const Socket& socket) {
  std::array<char, 65536> dropped;
  const auto n = ::recv(socket.fd(), dropped.data(), dropped.size(), 0);
  return n > 0 || (n < 0 && would_block());
}

}  // namespace

FaultProxy::FaultProxy(std::uint16_t target_port, std::string source)
    : target_port_(target_port), listener_(listen_on_loopback()), source_(std::move(source)) {
  thread_ = std::thread([this] { run(); });
}

FaultProxy::~FaultProxy() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  thread_.join();
}

void FaultProxy::cut(Cut how) {
  const std::lock_guard lock(mutex_);
  cut_all(how);
}

void FaultProxy::cut_at_random(std::uint64_t seed, TestClock::duration least,
                               TestClock::duration most) {
  const std::lock_guard lock(mutex_);
  random_cuts_ = {std::mt19937_64(seed), least, most, TestClock::now() + least};
}

void FaultProxy::calm() {
  const std::lock_guard lock(mutex_);
  random_cuts_.reset();
}

void FaultProxy::hang(Way way) {
  const std::lock_guard lock(mutex_);
  for (Connection& connection : open_) {
    if (way != Way::to_client) connection.up.hung = true;
    if (way != Way::to_server) connection.down.hung = true;
  }
}

void FaultProxy::freeze(bool frozen) {
  const std::lock_guard lock(mutex_);
  frozen_ = frozen;
}

void FaultProxy::come_from(std::string source) {
  const std::lock_guard lock(mutex_);
  source_ = std::move(source);
}

void FaultProxy::refuse(int count) {
  const std::lock_guard lock(mutex_);
  refuse_ = count;
}

int FaultProxy::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

int FaultProxy::cuts() const {
  const std::lock_guard lock(mutex_);
  return cuts_;
}

std::uint64_t FaultProxy::bytes_to_server() const {
  const std::lock_guard lock(mutex_);
  return to_server_;
}

void FaultProxy::run() {
  for (;;) {
    std::vector<pollfd> ready;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      ready = watched();
    }
    ::poll(ready.data(), ready.size(), kTurnMs);
    const std::lock_guard lock(mutex_);
    cut_if_due();
    if (!frozen_) {
      for (Connection& connection : open_) serve(connection);
    }
    open_.remove_if([](const Connection& c) { return c.dead; });
    if (ready.front().revents != 0) take_connection();
  }
}

std::vector<pollfd> FaultProxy::watched() const {
  std::vector<pollfd> fds = {{listener_.fd(), POLLIN, 0}};
  if (frozen_) return fds;
  const auto events = [](bool reads, bool writes) {
    return static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
  };
  for (const Connection& c : open_) {
    const bool reads_up = c.up.moving() && c.up.waiting.size() < kWaitingBytesMax;
    const bool reads_down = c.down.moving() && c.down.waiting.size() < kWaitingBytesMax;
    const bool writes_up = !c.up.hung && !c.up.waiting.empty();
    const bool writes_down = !c.down.hung && !c.down.waiting.empty();
    // A descriptor without a wish would only report its end, again and again.
    if (reads_up || writes_down) {
      fds.push_back({c.client.fd(), events(reads_up, writes_down), 0});
    }
    if (reads_down || writes_up) {
      fds.push_back({c.server.fd(), events(reads_down, writes_up), 0});
    }
  }
  return fds;
}

void FaultProxy::take_connection() {
  auto client = accept_from(listener_, 0s);
  if (!client) return;
  ++connections_;
  if (refuse_ > 0) {
    --refuse_;
    return;
  }
  auto server = connect_to(target_port_, source_);
  if (!server) return;
  make_nonblocking(*client);
  make_nonblocking(*server);
  open_.push_back(
      {.client = std::move(*client), .server = std::move(*server), .up = {}, .down = {}});
}

void FaultProxy::cut_if_due() {
  if (!random_cuts_ || TestClock::now() < random_cuts_->next) return;
  RandomCuts& cuts = *random_cuts_;
  cut_all(std::bernoulli_distribution()(cuts.random) ? Cut::reset : Cut::close);
  std::uniform_int_distribution<TestClock::rep> pause(cuts.least.count(), cuts.most.count());
  cuts.next = TestClock::now() + TestClock::duration(pause(cuts.random));
}

void FaultProxy::cut_all(Cut how) {
  for (Connection& connection : open_) {
    if (connection.closing) continue;
    ++cuts_;
    for (const Socket* socket : {&connection.client, &connection.server}) {
      how == Cut::reset ? reset_on_close(*socket) : void(::shutdown(socket->fd(), SHUT_WR));
    }
    connection.dead = how == Cut::reset;
    connection.closing = true;
    // What was on its way is lost with the wire.
    connection.up = {};
    connection.down = {};
  }
  open_.remove_if([](const Connection& c) { return c.dead; });
}

void FaultProxy::serve(Connection& connection) {
  if (connection.closing) {
    // A close with unread input would be a reset.
    const bool client = drop_input(connection.client);
    const bool server = drop_input(connection.server);
    connection.dead = !client && !server;
    return;
  }
  to_server_ += carry(connection.client, connection.server, connection.up, connection);
  carry(connection.server, connection.client, connection.down, connection);
  if (connection.up.ended && connection.down.ended) connection.dead = true;
}

/// Returns how many bytes it has passed on.
std::size_t FaultProxy::carry(const Socket& from, const Socket& to, Flow& flow,
                              Connection& connection) {
  if (flow.hung) return 0;
  std::array<char, 65536> buffer;
  if (!flow.ended && flow.waiting.size() < kWaitingBytesMax) {
    const auto n = ::recv(from.fd(), buffer.data(), buffer.size(), 0);
    if (n > 0) flow.waiting.append(buffer.data(), static_cast<std::size_t>(n));
    if (n == 0) flow.ended = true;
    if (n < 0 && !would_block()) connection.dead = true;
  }
  if (flow.waiting.empty()) {
    if (flow.ended) ::shutdown(to.fd(), SHUT_WR);
    return 0;
  }
  const auto n = ::send(to.fd(), flow.waiting.data(), flow.waiting.size(), MSG_NOSIGNAL);
  if (n < 0 && !would_block()) connection.dead = true;
  if (n <= 0) return 0;
  flow.waiting.erase(0, static_cast<std::size_t>(n));
  return static_cast<std::size_t>(n);
}

}  // namespace rp::product
