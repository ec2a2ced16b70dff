#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "certs/descriptor.h"

namespace rp::certs {

/// Makes the directory and its missing parents, those it makes with mode 0700 whatever the umask.
/// Throws Error (write_failed).
void make_private_directory(const std::filesystem::path& directory);

struct NewFile {
  std::filesystem::path path;
  std::string contents;
  unsigned mode;  ///< exact, whatever the umask
};

/// Replaces all files or none; those in one directory are replaced in one instant, even if the
/// process is killed or the power fails in between.
///
/// Each is written and synced beside its target. Then the directory `.previous` gets a link to what
/// each target was, all are renamed into place, and the removal of `.previous` says that it is
/// done. Until then settled() leads to what was before; whoever comes next puts it back. A target
/// that is a symbolic link is replaced, not followed. Root gives what it makes to the owner of the
/// directory.
///
/// The caller holds a DirectoryLock where another program may be writing. Throws Error
/// (write_failed).
void replace_files(const std::vector<NewFile>& files);

/// Where the contents of a file are that belong to those of its neighbours: the file itself, or
/// what it was before a replacement that has not come to its end.
std::filesystem::path settled(const std::filesystem::path& path);

/// Holds an advisory lock on a directory, so that two programs do not change it at once. Waits for
/// whoever holds it, at most ten seconds. Throws Error (write_failed).
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::filesystem::path& directory);

 private:
  Descriptor directory_;
};

}  // namespace rp::certs
