#include "handlers/exec/exec_target.h"

#include <csignal>
#include <utility>

#include "handlers/exec/exec_call.h"
#include "handlers/exec/method_files.h"

namespace rp::handlers {

ExecTarget::ExecTarget(ExecOptions options, Threads& threads)
    : shared_(std::make_shared<Shared>(std::move(options), threads)) {
  // Whoever started this process may have left SIGCHLD ignored; the kernel then forgets how
  // children ended.
  std::signal(SIGCHLD, SIG_DFL);  // NOLINT(bugprone-unused-return-value): SIGCHLD always exists
  for (const auto& directory : shared_->options.directories) check_method_directory(directory);
}

ExecTarget::~ExecTarget() = default;

std::shared_ptr<pipe::CallControl> ExecTarget::submit(pipe::Event&& event, std::string&& body,
                                                      const pipe::Origin& origin,
                                                      std::shared_ptr<pipe::ReplySink>&& sink) {
  auto call = std::make_shared<ExecCall>(shared_, std::move(event), std::move(body),
                                         std::move(origin), std::move(sink));
  call->launch();
  return call;
}

void ExecTarget::wait_for_processes(std::chrono::milliseconds most) {
  std::unique_lock lock(shared_->mutex);
  shared_->process_ended.wait_for(lock, most, [this] { return shared_->processes == 0; });
}

void ExecTarget::Shared::process_begins() {
  const std::lock_guard lock(mutex);
  ++processes;
}

void ExecTarget::Shared::process_ends() {
  slots.give_back();
  const std::lock_guard lock(mutex);
  if (--processes == 0) process_ended.notify_all();
}

}  // namespace rp::handlers
