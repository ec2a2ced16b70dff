#pragma once

#include <string>
#include <sys/types.h>

#include <spawn.h>

#include "handlers/trusted_file.h"
#include "pipe/error.h"

/// Starting executables as this node starts them, and ending what they became.
namespace rp::handlers {

/// A process that nobody has waited for, the leader of a process group of its own.
struct SpawnedProcess {
  pid_t pid = 0;
  FileDescriptor process;  ///< a pidfd
};

/// What posix_spawn() does to a child before the executable runs: it leads a process group of its
/// own, has default signals, and of our descriptors none but those that it is given.
class SpawnPlan {
 public:
  /// `last` is the highest number that a descriptor has in the child; 2 is that of stderr.
  explicit SpawnPlan(int last);
  ~SpawnPlan();
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  /// `fd`, which lies above `last`, has the number `as` in the child.
  void give(const FileDescriptor& fd, int as);
  /// The child has /dev/null as its stdin.
  void give_no_input();
  /// The child starts in `directory`, not in ours.
  void start_in(const std::string& directory);

  /// Runs the executable `path`; both arrays end with a null pointer. Returns once it runs or has
  /// turned out not to. Does not copy this process, and is safe beside other threads. Once for each
  /// plan.
  pipe::Result<SpawnedProcess> spawn(const std::string& path, char* const* arguments,
                                     char* const* environment);

 private:
  /// Of the steps of a plan the first that fails counts; all of them fail for want of memory only.
  void note(int error);

  const int last_;
  int error_ = 0;  // an errno
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

/// `fd` with a number above `last`: descriptors of a child are made one after the other, and none
/// may cover one that is yet to be made. Empty, with errno, when that fails or `fd` is empty.
FileDescriptor above(int last, FileDescriptor fd);

/// To the group that `pid` was made the leader of, and to itself should it have left for another.
void signal_group(pid_t pid, int signal);

/// Kills the group of a process that nobody has waited for, and waits for the process.
void kill_and_wait(pid_t pid);

}  // namespace rp::handlers
