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
#include "server/announcements.h"
#include "server/client_session.h"
#include "server/idle_watch.h"
#include "server/registry.h"
#include "server/session_store.h"

namespace rp::server {

/// Listens for clients and keeps their sessions, each on one of the node's I/O threads for life: a
/// client that comes back is taken there, whatever thread has accepted it.
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

  /// Clients whose session lasts, with or without a link, sorted.
  std::vector<std::string> clients() const { return store_.identities(); }

  /// Runs `f` for every pipe whose session lasts, on the pipe's own thread, then `done` on one of
  /// these threads.
  void for_each_pipe(std::function<void(pipe::Pipe&)> f, std::function<void()> done);

 private:
  class Arrival;

  /// What lives on one thread, touched there only.
  struct Shelf {
    std::size_t index;
    pipe::IoThread* thread;
    std::unordered_map<std::uint64_t, Arrival*> arrivals;
    std::unordered_map<std::uint64_t, std::shared_ptr<ClientSession>> sessions;
  };
  /// A link whose client has said HELLO.
  struct Greeted {
    std::uint64_t link;  ///< counted in the order of acceptance
    pipe::Connection connection;
    pipe::Hello hello;
  };

  boost::asio::awaitable<void> accept_loop();
  boost::asio::awaitable<void> wait_out(boost::system::error_code accept_error);
  boost::asio::awaitable<void> pause(pipe::Clock::duration time);
  boost::asio::awaitable<void> welcome(boost::asio::ip::tcp::socket socket, Shelf& shelf,
                                       std::uint64_t link);
  void spawn(Shelf& shelf, std::function<boost::asio::awaitable<void>()> work);

  pipe::error_code place(Shelf& shelf, pipe::Handshake& handshake, std::uint64_t link);
  void resume(Shelf& home, std::uint64_t session, Greeted greeted);
  pipe::Result<std::shared_ptr<ClientSession>> new_session(Shelf& shelf, std::uint64_t link,
                                                           const pipe::Origin& peer,
                                                           const pipe::Hello& hello);
  void serve(Shelf& shelf, std::shared_ptr<ClientSession> session, Greeted greeted);

  void for_each_session(std::function<void(ClientSession&)> f);
  void close_arrivals(pipe::Errc why);
  bool wait_until_ended(pipe::Clock::time_point deadline);
  void export_metrics();

  node::Runtime& runtime_;
  Registry& registry_;
  Admission admission_;
  SessionStore store_;
  std::optional<IdleWatch> idle_;  // until release()
  std::optional<Announcements> announcements_;
  std::vector<std::unique_ptr<Shelf>> shelves_;
  std::optional<boost::asio::ip::tcp::acceptor> acceptor_;  // on the first I/O thread once
                                                            // started; until release()
  std::atomic<bool> draining_{false};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> refused_{0};

  std::mutex mutex_;  // guards serving_
  std::condition_variable ended_;
  std::size_t serving_ = 0;  // coroutines that have not ended
  std::vector<node::Registry::Callback> exported_;
};

}  // namespace rp::server
