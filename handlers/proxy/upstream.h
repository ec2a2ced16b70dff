#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "handlers/proxy/proxy_address.h"
#include "pipe/error.h"
#include "pipe/event.h"

namespace rp::handlers {

/// One HTTP/1.1 connection to the application. Held by shared_ptr: an operation that has not
/// noticed its end yet may outlive the exchange.
struct UpstreamConnection {
  explicit UpstreamConnection(boost::asio::io_context& context);

  boost::asio::generic::stream_protocol::socket socket;
  boost::beast::flat_buffer received;  ///< read and not yet parsed
  std::string sending;                 ///< what is being written
  bool reused = false;                 ///< it has carried an exchange before
};

/// The connections to one application: the only address that is ever dialled. Lives on one I/O
/// thread; held by shared_ptr.
class Upstream final : public std::enable_shared_from_this<Upstream> {
 public:
  /// `connections_max` bounds those in use.
  Upstream(boost::asio::io_context& context, ProxyAddress address, std::size_t connections_max);

  const ProxyAddress& address() const noexcept { return address_; }

  /// False when all connections are in use. Each true is followed by one leave().
  bool enter() noexcept;
  void leave() noexcept { --in_use_; }

  /// A connection that waits for use and is still open; null when there is none.
  std::shared_ptr<UpstreamConnection> take_idle();
  /// A connection between two exchanges.
  void give_back(std::shared_ptr<UpstreamConnection> connection);

  /// Dials within 5 s into `connection`, whose socket may be closed to give up.
  boost::asio::awaitable<pipe::error_code> connect(UpstreamConnection& connection);

 private:
  struct Idle {
    std::shared_ptr<UpstreamConnection> connection;
    pipe::Clock::time_point since;
  };

  boost::asio::awaitable<pipe::error_code> dial(UpstreamConnection& connection,
                                                const bool& timed_out);
  void watch_idle();

  boost::asio::io_context& context_;
  const ProxyAddress address_;
  const std::size_t connections_max_;
  std::size_t in_use_ = 0;
  std::deque<Idle> idle_;  // the longest idle first
  boost::asio::steady_timer idle_timer_;
  bool idle_watched_ = false;
};

}  // namespace rp::handlers
