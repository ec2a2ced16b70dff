#include "handlers/exec/spawn.h"

#include <cerrno>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace rp::handlers {
namespace {

pipe::error_code system_error(int number) { return {number, boost::system::system_category()}; }

/// glibc 2.36 declares pidfd_open() in a header that clashes with <fcntl.h>.
int open_pidfd(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace

SpawnPlan::SpawnPlan(int last) : last_(last) {
  posix_spawn_file_actions_init(&actions_);
  posix_spawnattr_init(&attributes_);
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes_, &all);
  posix_spawnattr_setsigmask(&attributes_, &none);
  posix_spawnattr_setpgroup(&attributes_, 0);
  note(posix_spawnattr_setflags(
      &attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP));
}

SpawnPlan::~SpawnPlan() {
  posix_spawn_file_actions_destroy(&actions_);
  posix_spawnattr_destroy(&attributes_);
}

void SpawnPlan::give(const FileDescriptor& fd, int as) {
  note(posix_spawn_file_actions_adddup2(&actions_, fd.get(), as));
}

void SpawnPlan::give_no_input() {
  note(posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0));
}

void SpawnPlan::start_in(const std::string& directory) {
  note(posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str()));
}

pipe::Result<SpawnedProcess> SpawnPlan::spawn(const std::string& path, char* const* arguments,
                                              char* const* environment) {
  note(posix_spawn_file_actions_addclosefrom_np(&actions_, last_ + 1));
  if (error_ != 0) return system_error(error_);
  SpawnedProcess spawned;
  const int error =
      posix_spawn(&spawned.pid, path.c_str(), &actions_, &attributes_, arguments, environment);
  if (error != 0) return system_error(error);
  spawned.process = FileDescriptor(open_pidfd(spawned.pid));
  if (!spawned.process) {
    const int why = errno;
    kill_and_wait(spawned.pid);
    return system_error(why);
  }
  return spawned;
}

void SpawnPlan::note(int error) {
  if (error_ == 0) error_ = error;
}

FileDescriptor above(int last, FileDescriptor fd) {
  if (!fd || fd.get() > last) return fd;
  return FileDescriptor(fcntl(fd.get(), F_DUPFD_CLOEXEC, last + 1));
}

void signal_group(pid_t pid, int signal) {
  ::kill(-pid, signal);
  if (::getpgid(pid) != pid) ::kill(pid, signal);
}

void kill_and_wait(pid_t pid) {
  signal_group(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace rp::handlers
