#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "rest/endpoint.h"
#include "rest/gate.h"
#include "rest/guard.h"
#include "rest/limits.h"
#include "rest/router.h"
#include "rest/stats.h"

namespace rp::pipe {
class IoThread;
}

namespace rp::rest {

/// An endpoint that cannot be listened on; what() names it, the reason and what would help.
struct ListenError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ServerOptions {
  std::vector<Endpoint> endpoints;
  mode_t unix_mode = 0660;  ///< of each Unix socket file
  std::vector<uid_t>
      unix_uids;  ///< who may connect there (SO_PEERCRED); empty: whoever the mode lets
  Limits limits;
  GuardOptions guard;
  Gate::Streams streams_body{};  ///< null: every body is complete before the handler is called
};

/// The HTTP front-end: listens, checks, and hands each good request to the handler.
///
/// start() once, then drain() and/or stop(); the destructor stops. Exchanges may outlive the
/// server; answering them then does nothing. Construction and these three belong to one thread.
class Server {
 public:
  /// The connections live on `threads`, one at least, in turn. None of them begins or ends while
  /// the server stops. It may stop after them; one that never ran is to be stopped before it, since
  /// connections that have come wait there.
  Server(ServerOptions options, Handler handler,
         std::vector<std::shared_ptr<pipe::IoThread>> threads);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds every endpoint and serves. Returns the endpoints really bound, in order, with the ports
  /// that port 0 became. Throws ListenError and then serves nothing.
  std::vector<Endpoint> start();

  /// Stops accepting, answers what is in flight with `Connection: close`, and waits until no
  /// connection is left or `timeout` has passed. True when none was cut. Ends stopped.
  bool drain(std::chrono::milliseconds timeout);

  /// Closes everything now. Exchanges in flight see a disconnect.
  void stop();

  const Stats& stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rp::rest
