#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "node/runtime.h"
#include "pipe/pipe.h"
#include "server/admission.h"
#include "server/idle_watch.h"
#include "server/registry.h"

namespace rp::server {

/// Listens for clients and keeps their pipes, each on one of the node's I/O threads for life.
///
/// All members are safe from any thread but the I/O threads.
class PipeServer {
 public:
  /// Both outlive this object, which outlives the I/O threads' contexts' work.
  PipeServer(node::Runtime& runtime, Registry& registry);
  PipeServer(const PipeServer&) = delete;
  PipeServer& operator=(const PipeServer&) = delete;

  /// Binds and begins to accept; returns the address with the port really bound. Throws
  /// StartupError (cannot_listen).
  std::string start();

  /// Closes the pipes whose certificate the current CRL lists.
  void cut_revoked();

  /// No new connections; tells every client that this node is leaving and lets calls finish.
  void begin_drain();
  /// Waits until every pipe has ended; closes those that are left at `deadline`.
  void finish_drain(pipe::Clock::time_point deadline);
  /// See node::NodeEnd::release(). Nothing else may be called afterwards.
  void release();

  /// Runs `f` for every open pipe on the pipe's own thread, then `done` on one of these threads.
  void for_each_pipe(std::function<void(pipe::Pipe&)> f, std::function<void()> done);

 private:
  class Connection;

  /// The connections of one thread, touched on that thread only.
  struct Shelf {
    pipe::IoThread* thread;
    std::unordered_map<std::uint64_t, Connection*> connections;
  };

  boost::asio::awaitable<void> accept_loop();
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket, Shelf& shelf);
  boost::asio::awaitable<void> wait_out(boost::system::error_code accept_error);
  void begin(boost::asio::ip::tcp::socket socket, Shelf& shelf);
  bool has_room() const;
  void for_each_connection(std::function<void(Connection&)> f);
  bool wait_until_ended(pipe::Clock::time_point deadline);
  void export_metrics();

  node::Runtime& runtime_;
  Registry& registry_;
  Admission admission_;
  std::optional<IdleWatch> idle_;  // until release()
  std::vector<std::unique_ptr<Shelf>> shelves_;
  std::optional<boost::asio::ip::tcp::acceptor> acceptor_;  // on the first I/O thread once
                                                            // started; until release()
  std::atomic<bool> draining_{false};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> last_number_{0};

  std::mutex announce_mutex_;  // registry changes and what plugins hear of them: one order
  std::mutex mutex_;           // guards serving_
  std::condition_variable ended_;
  std::size_t serving_ = 0;  // connections whose coroutine has not ended
  std::vector<node::Registry::Callback> exported_;
};

}  // namespace rp::server
