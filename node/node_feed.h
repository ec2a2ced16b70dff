#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "rest/exchange.h"

namespace rp::node {

/// Who joins and who leaves, as an event stream (text/event-stream) for everybody who watches
/// /nodes: first the present state, then each change with an id, and a comment in between so that
/// both ends notice a dead connection.
///
/// tell(), watch() and close() are safe from any thread.
class NodeFeed {
 public:
  struct Limits {
    std::size_t watchers_max = 64;                          ///< further ones are refused with 503
    std::size_t backlog_bytes_max = std::size_t{1} << 20;   ///< un-read changes of one watcher;
                                                            ///< beyond, it is cut off
    std::size_t unsent_bytes_max = std::size_t{256} << 10;  ///< of it, in the connection's hands
    std::chrono::milliseconds heartbeat{15'000};            ///< pause between comments
    std::chrono::milliseconds retry{2'000};  ///< how long a watcher that was cut stays away
  };

  /// Everything happens on `context`, which has one thread and outlives the feed's work.
  NodeFeed(boost::asio::io_context& context, Limits limits);
  ~NodeFeed();
  NodeFeed(const NodeFeed&) = delete;
  NodeFeed& operator=(const NodeFeed&) = delete;

  /// Something happened: `event` is its name, `json` one line of JSON about it. Cheap when nobody
  /// watches.
  void tell(std::string_view event, std::string json);

  /// Hands over the present state as one line of JSON, from any thread and at any time.
  using Snapshot = std::function<void(std::function<void(std::string json)>)>;

  /// Turns the exchange into a stream that begins with the event `snapshot`. What happens while the
  /// snapshot is made follows it, and may already be part of it.
  void watch(std::shared_ptr<rest::Exchange> exchange, const Snapshot& snapshot);

  /// Ends all streams, and each that comes later at once: the node is leaving.
  void close();

  std::size_t watchers() const { return count_.load(std::memory_order_relaxed); }

  /// Whether the request asks for the stream: a GET whose Accept names it.
  static bool is_wanted(const rest::Request& request);

 private:
  class Watcher;

  void add(const std::shared_ptr<Watcher>& watcher);
  void remove(const std::shared_ptr<Watcher>& watcher);
  void send_to_all(const std::string& text);
  void beat();

  boost::asio::io_context& context_;
  const Limits limits_;
  std::atomic<std::size_t> count_{0};

  // On the context only.
  boost::asio::steady_timer timer_;
  std::vector<std::shared_ptr<Watcher>> watchers_;
  std::uint64_t last_id_ = 0;
  bool closed_ = false;
};

}  // namespace rp::node
