#include "handlers/isolated/host_process.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <utility>

#include <unistd.h>

#include "handlers/exec/spawn.h"
#include "handlers/isolated/host_wire.h"

namespace rp::handlers {
namespace {

pipe::error_code system_error(int number) { return {number, boost::system::system_category()}; }

class RunningHost final : public HostProcess {
 public:
  RunningHost(boost::asio::io_context& context, pid_t pid, FileDescriptor process)
      : pid_(pid), child_(std::make_shared<Child>(context, pid, std::move(process))) {}
  ~RunningHost() override { child_->kill(); }

  int pid() const override { return pid_; }
  void watch(std::function<void(ChildEnd)> on_end) override { child_->watch(std::move(on_end)); }
  void terminate() override { child_->terminate(); }
  void kill() override { child_->kill(); }

 private:
  const pid_t pid_;
  const std::shared_ptr<Child> child_;  // its own pending operations keep it too
};

}  // namespace

pipe::Result<LaunchedHost> ExecutableLauncher::launch(const std::string& plugin,
                                                      boost::asio::io_context& context) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_error(errno);
  FileDescriptor ours(ends[0]);
  const FileDescriptor theirs = above(kHostSocket, FileDescriptor(ends[1]));
  if (!theirs) return system_error(errno);
  SpawnPlan plan(kHostSocket);
  plan.give_no_input();
  plan.give(theirs, kHostSocket);
  const std::array<char*, 4> arguments{const_cast<char*>("restpipe"),
                                       const_cast<char*>("plugin-host"),
                                       const_cast<char*>(plugin.c_str()), nullptr};
  auto spawned = plan.spawn(executable_, arguments.data(), environ);
  if (!spawned) return spawned.error();
  return LaunchedHost{
      std::make_unique<RunningHost>(context, spawned->pid, std::move(spawned->process)),
      std::move(ours)};
}

std::string to_text(ChildEnd end) {
  if (end.signal == 0) return "exit status " + std::to_string(end.status);
  const char* const name = sigabbrev_np(end.signal);
  std::string text = "signal " + std::to_string(end.signal);
  if (name != nullptr) text.append(" (SIG").append(name).append(")");
  return text;
}

}  // namespace rp::handlers
