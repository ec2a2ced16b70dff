#include "handlers/proxy/upstream.h"

#include <chrono>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "pipe/name_lookup.h"

namespace rp::handlers {
namespace {

namespace asio = boost::asio;

// A local application accepts at once or its machine is in trouble.
constexpr std::chrono::seconds kConnectTimeout{5};

// Shorter than what servers commonly keep idle connections for, so that ours are seldom stale.
constexpr std::chrono::seconds kIdleMax{4};
constexpr std::size_t kIdleConnectionsMax = 16;

// The longest head of a reply, and what one read may bring.
constexpr std::size_t kReceivedBytesMax = std::size_t{64} * 1024;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

/// Nothing to read, and not at its end.
bool is_quiet(UpstreamConnection& connection) {
  char byte = 0;
  const auto n = ::recv(connection.socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

UpstreamConnection::UpstreamConnection(asio::io_context& context)
    : socket(context), received(kReceivedBytesMax) {}

Upstream::Upstream(asio::io_context& context, ProxyAddress address, std::size_t connections_max)
    : context_(context),
      address_(std::move(address)),
      connections_max_(connections_max),
      idle_timer_(context) {}

bool Upstream::enter() noexcept {
  if (in_use_ >= connections_max_) return false;
  ++in_use_;
  return true;
}

std::shared_ptr<UpstreamConnection> Upstream::take_idle() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.back().connection);
    idle_.pop_back();
    if (is_quiet(*connection)) return connection;
  }
  return nullptr;
}

void Upstream::give_back(std::shared_ptr<UpstreamConnection> connection) {
  connection->reused = true;
  idle_.push_back({std::move(connection), pipe::Clock::now()});
  if (idle_.size() > kIdleConnectionsMax) idle_.pop_front();
  watch_idle();
}

void Upstream::watch_idle() {
  if (idle_watched_ || idle_.empty()) return;
  idle_watched_ = true;
  idle_timer_.expires_at(idle_.front().since + kIdleMax);
  idle_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (ec || !self) return;
    const auto oldest = pipe::Clock::now() - kIdleMax;
    while (!self->idle_.empty() && self->idle_.front().since <= oldest) self->idle_.pop_front();
    self->idle_watched_ = false;
    self->watch_idle();
  });
}

asio::awaitable<pipe::error_code> Upstream::connect(UpstreamConnection& connection) {
  bool timed_out = false;
  asio::steady_timer timer(context_, kConnectTimeout);
  timer.async_wait([&](const boost::system::error_code& ec) {
    if (ec) return;
    timed_out = true;
    boost::system::error_code ignored;
    connection.socket.close(ignored);
  });
  auto ec = co_await dial(connection, timed_out);
  // The handler refers to this frame: it must have run, or never run, before the frame goes.
  if (timer.cancel() == 0 && !timed_out) co_await asio::post(context_, asio::use_awaitable);
  co_return timed_out ? pipe::error_code(asio::error::timed_out) : ec;
}

asio::awaitable<pipe::error_code> Upstream::dial(UpstreamConnection& connection,
                                                 const bool& timed_out) {
  if (address_.is_unix()) {
    const asio::generic::stream_protocol::endpoint endpoint(
        asio::local::stream_protocol::endpoint(address_.unix_path));
    const auto [ec] = co_await connection.socket.async_connect(endpoint, kTuple);
    co_return ec;
  }
  pipe::NameLookup lookup(context_.get_executor());
  const auto found = co_await lookup.run(address_.host, kConnectTimeout);
  if (!found) co_return found.error();
  if (timed_out) co_return asio::error::timed_out;  // there was no socket yet to be closed
  pipe::error_code last;
  for (const auto& address : *found) {
    boost::system::error_code ignored;
    connection.socket.close(ignored);
    const asio::generic::stream_protocol::endpoint endpoint(
        asio::ip::tcp::endpoint(address, address_.port));
    const auto [ec] = co_await connection.socket.async_connect(endpoint, kTuple);
    last = ec;
    if (!ec) {
      const int on = 1;
      ::setsockopt(connection.socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      break;
    }
    if (ec == asio::error::operation_aborted) break;
  }
  co_return last;
}

}  // namespace rp::handlers
