#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "handlers/local/threads.h"
#include "pipe/event.h"

namespace rp::handlers {

struct ExecOptions {
  std::vector<std::string> directories{};  ///< absolute; the first that has a method decides
  std::size_t processes_max = 16;          ///< child processes at once
  std::size_t waiting_max = 256;           ///< calls that wait for one of them; more are refused
  std::string node{};                      ///< this node's name, for RESTPIPE_NODE
};

/// Answers events by running executables, one process for each: `GET report/today//42` runs
/// `get_report_today` with the argument "42". docs/handlers.md has the rules.
///
/// Directories are read at each call, so a new file is a new method at once. An event that no file
/// answers gets code 255.
class ExecTarget final : public pipe::EventTarget {
 public:
  /// `threads` outlive the target and its calls. Throws PluginRefused for a directory that must not
  /// be used.
  ExecTarget(ExecOptions options, Threads& threads);
  ~ExecTarget() override;

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

  /// Waits until no child process is left, at most for `most`; once the calls have ended.
  void wait_for_processes(std::chrono::milliseconds most);

  struct Shared;

 private:
  const std::shared_ptr<Shared> shared_;
};

}  // namespace rp::handlers
