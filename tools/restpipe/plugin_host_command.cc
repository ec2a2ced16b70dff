#include "tools/restpipe/plugin_host_command.h"

#include <csignal>
#include <iostream>
#include <string_view>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <utility>

#include <boost/asio/signal_set.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "handlers/isolated/host_wire.h"
#include "handlers/isolated/plugin_host.h"
#include "node/exit_codes.h"

namespace rp::tools {
namespace {

using handlers::PluginHost;
using node::ExitCode;

bool inherits_socket() {
  struct stat status {};
  return ::fstat(handlers::kHostSocket, &status) == 0 && S_ISSOCK(status.st_mode);
}

/// SIGTERM: finish and leave; the node starts another host. A second one ends at once, as does one
/// that finds nothing to finish.
void heed_sigterm(boost::asio::signal_set& signals, PluginHost& host) {
  signals.async_wait([&](const boost::system::error_code& ec, int) {
    if (ec) return;
    if (!host.leave()) ::_exit(static_cast<int>(ExitCode::failure));
    heed_sigterm(signals, host);
  });
}

}  // namespace

bool is_plugin_host(int argc, const char* const* argv) {
  return argc > 1 && std::string_view(argv[1]) == "plugin-host";
}

int run_plugin_host(int argc, const char* const* argv) {
  // The socket's end says the same, but a method that does not return would not hear of it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (argc != 3 || !inherits_socket()) {
    std::cerr << "restpipe: plugin-host is started by a node, for a plugin that it isolates\n";
    return static_cast<int>(ExitCode::usage);
  }
  ::fcntl(handlers::kHostSocket, F_SETFD, FD_CLOEXEC);  // not for children of the plugin
  for (const int signal : {SIGPIPE, SIGHUP, SIGINT}) std::signal(signal, SIG_IGN);

  PluginHost::Options options;
  options.path = argv[2];
  options.abandoned = [] { ::_exit(static_cast<int>(ExitCode::failure)); };
  PluginHost host(std::move(options), handlers::FileDescriptor(handlers::kHostSocket));
  boost::asio::signal_set signals(host.thread().context(), SIGTERM);
  heed_sigterm(signals, host);
  switch (host.run()) {
    case PluginHost::End::stopped:
      return static_cast<int>(ExitCode::ok);
    case PluginHost::End::refused:
      return static_cast<int>(ExitCode::plugin_refused);
    case PluginHost::End::stuck:
      break;
  }
  ::_exit(static_cast<int>(ExitCode::ok));  // the ordinary way would wait for the stuck for ever
}

}  // namespace rp::tools
