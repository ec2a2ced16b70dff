#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "node/config.h"
#include "pipe/log.h"

namespace rp::node {

/// "2026-11-21T10:00:00.123Z": wall-clock time in UTC, RFC 3339.
std::string timestamp(std::chrono::system_clock::time_point at);

/// One line of the log without its line break. `at` is wall-clock time, shown in UTC.
/// Text: `2026-11-21T10:00:00.123Z INFO pipe: Link is up peer=alpha address=10.0.0.7`.
std::string text_line(const LogLine& line, std::chrono::system_clock::time_point at);

/// The same as one JSON object: time, level, component, message, then the fields as strings. A
/// field that is called like one of the four gets a '_' in front.
std::string json_line(const LogLine& line, std::chrono::system_clock::time_point at);

class LogQueue;

/// Takes the lines of rp::log() from all threads and writes them to a descriptor from one thread of
/// its own, so that a full pipe or disk never stalls an I/O thread and never ends the process.
///
/// At most one object lives at a time: it owns the process-wide sink. Lines logged after its
/// destruction are written to stderr directly, as text.
class LogWriter {
 public:
  /// What waits for the writer; lines beyond it are dropped, counted, and reported in the log.
  static constexpr std::size_t kQueueBytesMax = 4 * 1024 * 1024;
  /// Longest wait for a stuck descriptor at the end.
  static constexpr std::chrono::milliseconds kFlushWait{1000};

  /// Becomes the sink. `descriptor` stays open for the life of the writer; it is not closed.
  LogWriter(LogFormat format, LogLevel level, int descriptor = 2);
  /// Writes what is queued, for at most kFlushWait, and steps back.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// Waits until what is queued has been written, for at most kFlushWait: before _exit().
  void flush() noexcept;

  /// Lines lost so far, to a full queue or a failing descriptor.
  std::uint64_t dropped() const noexcept;

 private:
  std::unique_ptr<LogQueue> queue_;
};

}  // namespace rp::node
