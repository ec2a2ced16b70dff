#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "rest/arrival.h"
#include "rest/server.h"

namespace rp::rest {

/// Listens on TCP and Unix sockets with Asio, on one thread of its own, and passes accepted
/// connections on. Keeps the connection cap, and backs off when descriptors run out.
class Acceptor {
 public:
  /// `deliver` is called on the acceptor's thread. The references outlive the acceptor.
  Acceptor(const ServerOptions& options, Stats& stats, std::function<void(Arrival)> deliver);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// Binds and listens on every endpoint. Throws ListenError and then listens on none.
  std::vector<Endpoint> bind();
  /// Accepts from now on.
  void start();

  /// Closes the listeners, removes the Unix socket files and ends the thread. Idempotent.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rp::rest
