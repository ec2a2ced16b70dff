#include "handlers/exec/child.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

namespace rp::handlers {
namespace {

// From SIGTERM to SIGKILL: enough to remove a temporary file, not enough to keep a slot busy.
constexpr std::chrono::seconds kTermGrace{1};

pipe::error_code last_error() { return {errno, boost::system::system_category()}; }

/// glibc 2.36 declares pidfd_open() in a header that clashes with <fcntl.h>.
int open_pidfd(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

/// To the group that `pid` was made the leader of, and to itself should it have left for another.
void signal_group(pid_t pid, int signal) {
  ::kill(-pid, signal);
  if (::getpgid(pid) != pid) ::kill(pid, signal);
}

/// Kills the group of a process that nobody has waited for, and waits for the process.
void kill_and_wait(pid_t pid) {
  signal_group(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

/// Both ends lie above the standard streams: the child's are made with dup2(), one after the other.
FileDescriptor above_standard(FileDescriptor fd) {
  if (!fd || fd.get() > STDERR_FILENO) return fd;
  return FileDescriptor(fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {FileDescriptor(), FileDescriptor()};
  return {above_standard(FileDescriptor(ends[0])), above_standard(FileDescriptor(ends[1]))};
}

bool unblock(const FileDescriptor& fd) { return fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0; }

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
  int prepare(const std::string& directory, int in, int out, int err) {
    for (const auto& [from, to] : {std::pair{in, STDIN_FILENO}, std::pair{out, STDOUT_FILENO},
                                   std::pair{err, STDERR_FILENO}}) {
      if (const int e = posix_spawn_file_actions_adddup2(&actions_, from, to)) return e;
    }
    if (const int e = posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1)) {
      return e;
    }
    if (const int e = posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str())) return e;
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

  /// Does not copy this process, and is safe beside other threads.
  int spawn(const ChildCommand& command, pid_t& pid) {
    std::vector<char*> arguments{const_cast<char*>(command.path.c_str())};
    for (const auto& text : command.arguments) {
      arguments.push_back(const_cast<char*>(text.c_str()));
    }
    arguments.push_back(nullptr);
    std::vector<char*> environment;
    for (const auto& text : command.environment) {
      environment.push_back(const_cast<char*>(text.c_str()));
    }
    environment.push_back(nullptr);
    return posix_spawn(&pid, command.path.c_str(), &actions_, &attributes_, arguments.data(),
                       environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

StartedChild::~StartedChild() {
  if (process) kill_and_wait(pid);
}

pipe::Result<StartedChild> start_child(const ChildCommand& command) {
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  if (!in.read || !in.write || !out.read || !out.write || !err.read || !err.write) {
    return last_error();
  }
  if (!unblock(in.write) || !unblock(out.read) || !unblock(err.read)) return last_error();
  StartedChild child;
  SpawnPlan plan;
  int error = plan.prepare(command.directory, in.read.get(), out.write.get(), err.write.get());
  if (error == 0) error = plan.spawn(command, child.pid);
  if (error != 0) return pipe::error_code(error, boost::system::system_category());
  child.process = FileDescriptor(open_pidfd(child.pid));
  if (!child.process) {
    const auto why = last_error();
    kill_and_wait(child.pid);
    return why;
  }
  child.input = std::move(in.write);
  child.output = std::move(out.read);
  child.errors = std::move(err.read);
  return child;
}

Child::Child(boost::asio::io_context& context, pid_t pid, FileDescriptor process)
    : pid_(pid), process_(context, process.release()), patience_(context) {}

Child::~Child() {
  if (!reaped_) kill_and_wait(pid_);
}

void Child::watch(std::function<void(ChildEnd)> on_end) {
  // The operation owns the callback, so that whoever waits and the child never own each other.
  process_.async_wait(
      boost::asio::posix::descriptor_base::wait_read,
      [self = shared_from_this(), on_end = std::move(on_end)](const boost::system::error_code& ec) {
        if (!ec) on_end(self->reap());
      });
}

void Child::terminate() {
  if (reaped_ || std::exchange(terminating_, true)) return;
  signal_group(pid_, SIGTERM);
  patience_.expires_after(kTermGrace);
  patience_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    if (!ec && !self->reaped_) signal_group(self->pid_, SIGKILL);
  });
}

void Child::kill() {
  if (!reaped_) signal_group(pid_, SIGKILL);
}

ChildEnd Child::reap() {
  // The group's id is free for others once its leader has been waited for, so the rest goes first.
  ::kill(-pid_, SIGKILL);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED);
  reaped_ = true;
  patience_.cancel();
  process_.close();
  const bool exited = info.si_code == CLD_EXITED;
  return exited ? ChildEnd{info.si_status, 0} : ChildEnd{0, info.si_status};
}

}  // namespace rp::handlers
