#include "handlers/isolated/host_process.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "handlers/isolated/host_wire.h"

namespace rp::handlers {
namespace {

pipe::error_code system_error(int number) { return {number, boost::system::system_category()}; }

/// Both ends lie above the descriptors that the child's own are made at.
FileDescriptor above_host_socket(FileDescriptor fd) {
  if (!fd || fd.get() > kHostSocket) return fd;
  return FileDescriptor(fcntl(fd.get(), F_DUPFD_CLOEXEC, kHostSocket + 1));
}

/// What posix_spawn() does to the child before the executable runs.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  /// 0, or the error number of the first step that fails; all of them fail for want of memory only.
  int prepare(int socket) {
    if (const int e =
            posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0)) {
      return e;
    }
    if (const int e = posix_spawn_file_actions_adddup2(&actions_, socket, kHostSocket)) return e;
    if (const int e = posix_spawn_file_actions_addclosefrom_np(&actions_, kHostSocket + 1)) {
      return e;
    }
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    return posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }

  int spawn(const std::string& executable, const std::string& plugin, pid_t& pid) {
    const std::array<char*, 4> arguments{const_cast<char*>("restpipe"),
                                         const_cast<char*>("plugin-host"),
                                         const_cast<char*>(plugin.c_str()), nullptr};
    return posix_spawn(&pid, executable.c_str(), &actions_, &attributes_, arguments.data(),
                       environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

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
  const FileDescriptor theirs = above_host_socket(FileDescriptor(ends[1]));
  if (!theirs) return system_error(errno);
  pid_t pid = 0;
  SpawnPlan plan;
  int error = plan.prepare(theirs.get());
  if (error == 0) error = plan.spawn(executable_, plugin, pid);
  if (error != 0) return system_error(error);
  // glibc 2.36 declares pidfd_open() in a header that clashes with <fcntl.h>.
  FileDescriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process) {
    const int why = errno;
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return system_error(why);
  }
  return LaunchedHost{std::make_unique<RunningHost>(context, pid, std::move(process)),
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
