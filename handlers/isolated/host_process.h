#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "handlers/exec/child.h"
#include "handlers/trusted_file.h"
#include "pipe/error.h"

namespace rp::handlers {

/// A process that hosts a plugin, as its supervisor sees it. Lives on the I/O thread that it was
/// launched for; destroying it ends the process.
class HostProcess {
 public:
  virtual ~HostProcess() = default;

  virtual int pid() const = 0;
  /// `on_end` runs once, on the I/O thread, when the process and its group have ended.
  virtual void watch(std::function<void(ChildEnd)> on_end) = 0;
  /// Asks the process to end, and kills it and its group when it has not a second later.
  virtual void terminate() = 0;
  /// Kills it and its group.
  virtual void kill() = 0;
};

struct LaunchedHost {
  std::unique_ptr<HostProcess> process;
  FileDescriptor socket;  ///< our end
};

/// Starts host processes.
class HostLauncher {
 public:
  virtual ~HostLauncher() = default;

  /// `plugin` is the path of the plugin. Called on the thread of `context`.
  virtual pipe::Result<LaunchedHost> launch(const std::string& plugin,
                                            boost::asio::io_context& context) = 0;
};

/// Starts `EXECUTABLE plugin-host PLUGIN` with the other end of the socket as kHostSocket: a leader
/// of its own process group, with our environment, stdout and stderr, and nothing else of ours.
class ExecutableLauncher final : public HostLauncher {
 public:
  /// The default is this very program, also when its file has been replaced meanwhile.
  explicit ExecutableLauncher(std::string executable = "/proc/self/exe")
      : executable_(std::move(executable)) {}

  pipe::Result<LaunchedHost> launch(const std::string& plugin,
                                    boost::asio::io_context& context) override;

 private:
  const std::string executable_;
};

/// "signal 11 (SIGSEGV)" or "exit status 3".
std::string to_text(ChildEnd end);

}  // namespace rp::handlers
