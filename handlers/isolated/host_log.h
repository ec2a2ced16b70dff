#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "handlers/isolated/host_wire.h"
#include "pipe/core/session.h"
#include "pipe/io_thread.h"
#include "pipe/log.h"

namespace rp::handlers {

/// In a host process: the lines of rp::log(), from all threads, on their way to the node.
///
/// At most one object lives at a time: it owns the process-wide sink, and steps back at its end.
class HostLog final {
 public:
  /// Lines that wait for the node; further ones are dropped, and their number is logged.
  static constexpr std::size_t kWaitingMax = 1024;
  /// Of one line; the rest is cut. As JSON, at worst six times as long, it fits into one frame.
  static constexpr std::size_t kLineBytesMax = 8 * 1024;
  static constexpr std::size_t kFieldsMax = 8;

  /// `session` lives on `thread`, which has stopped when this object goes. Both outlive it.
  HostLog(pipe::Session& session, pipe::IoThread& thread, LogLevel level);
  ~HostLog();
  HostLog(const HostLog&) = delete;
  HostLog& operator=(const HostLog&) = delete;

 private:
  struct State;  // what lines on their way share with this object
  class Sent;

  static void write(const LogLine& line);
  static void send(const std::shared_ptr<State>& state, std::string line);

  const std::shared_ptr<State> state_;
};

/// In the node: writes a line of the host of `plugin` to the log, with the plugin's name.
void log_from_host(const std::string& plugin, const HostLogLine& line);

}  // namespace rp::handlers
