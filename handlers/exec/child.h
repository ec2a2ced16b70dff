#pragma once

#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "handlers/trusted_file.h"
#include "pipe/error.h"

namespace rp::handlers {

struct ChildCommand {
  std::string path;       ///< the executable
  std::string directory;  ///< where it starts
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  ///< NAME=VALUE, and nothing else
};

/// A process that has been started, as the leader of a process group of its own, with our ends of
/// its three streams, which do not block. Whoever drops it without taking the process ends the
/// group.
struct StartedChild {
  StartedChild() = default;
  StartedChild(StartedChild&&) = default;
  StartedChild& operator=(StartedChild&&) = delete;
  ~StartedChild();

  FileDescriptor process;  ///< a pidfd; empty once it has been taken
  pid_t pid = 0;
  FileDescriptor input;   ///< we write its stdin
  FileDescriptor output;  ///< we read its stdout
  FileDescriptor errors;  ///< we read its stderr
};

/// Starts `command`; waits until the executable runs or has turned out not to. The child has
/// default signals and no descriptor of ours but the three.
pipe::Result<StartedChild> start_child(const ChildCommand& command);

/// How a process ended.
struct ChildEnd {
  int status = 0;  ///< exit status, where `signal` is 0
  int signal = 0;  ///< the signal that ended it
};

/// A running process on an I/O thread. Held by shared_ptr; lives until the process has been waited
/// for.
class Child final : public std::enable_shared_from_this<Child> {
 public:
  Child(boost::asio::io_context& context, pid_t pid, FileDescriptor process);
  ~Child();  // kills and waits, if need be
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// `on_end` runs once, when the process has ended; what was left of its group is killed by then.
  void watch(std::function<void(ChildEnd)> on_end);

  /// SIGTERM to the group, and SIGKILL a second later if the process is still there.
  void terminate();

  /// SIGKILL to the group.
  void kill();

 private:
  ChildEnd reap();

  const pid_t pid_;  // also the group's id; ours until the process has been waited for
  boost::asio::posix::stream_descriptor process_;
  boost::asio::steady_timer patience_;
  bool terminating_ = false;
  bool reaped_ = false;
};

}  // namespace rp::handlers
