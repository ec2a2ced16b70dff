#include "node/signals.h"

#include <csignal>
#include <utility>

#include <unistd.h>

#include "node/exit_codes.h"
#include "pipe/log.h"

namespace rp::node {

Signals::Signals(boost::asio::any_io_executor executor, Callbacks callbacks)
    : callbacks_(std::move(callbacks)), signals_(std::move(executor), SIGTERM, SIGINT, SIGHUP) {
  // A peer that closes its socket is an error code of a write, never the end of the process.
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(bugprone-unused-return-value): SIGPIPE always exists
  wait();
}

void Signals::stop() { signals_.cancel(); }

void Signals::wait() {
  signals_.async_wait([this](const boost::system::error_code& ec, int signal) {
    if (ec) return;
    if (signal == SIGHUP) {
      callbacks_.reload();
    } else if (!draining_) {
      draining_ = true;
      callbacks_.drain();
    } else {
      ::_exit(static_cast<int>(ExitCode::failure));  // the user has stopped waiting
    }
    wait();
  });
}

}  // namespace rp::node
