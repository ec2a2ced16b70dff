#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace rp::certs {

/// No file of an identity is larger: a chain with every intermediate stays under 100 kB, a CRL of
/// 20,000 entries under 1 MiB.
inline constexpr std::size_t kIdentityFileBytesMax = 1024 * 1024;

/// Whole contents of a regular file. Throws Error (missing, unreadable).
std::string read_file(const std::filesystem::path& path);

/// The same, but empty when there is no such file.
std::string read_optional_file(const std::filesystem::path& path);

/// Like read_file() for a private key, which must be closed to group and others and belong to this
/// user or to root (root itself may read anyone's). Throws Error (also loose_permissions).
std::string read_key_file(const std::filesystem::path& path);

/// Makes the directory and its missing parents, those it makes with mode 0700 whatever the umask.
void make_private_directory(const std::filesystem::path& directory);

struct NewFile {
  std::filesystem::path path;
  std::string contents;
  unsigned mode;  ///< exact, whatever the umask
};

/// Replaces all files or none: each is written and synced beside its target first, then all are
/// renamed; if a rename fails, those before it are undone. Only a crash between two renames can
/// leave some new and some old files; a loader sees that as a mismatch and doing it again mends it.
/// A target that is a symbolic link is replaced, not followed. Root gives what it makes to the
/// owner of the directory. Throws Error (write_failed).
void replace_files(const std::vector<NewFile>& files);

/// Holds an advisory lock on a directory, so that two programs do not change it at once. Waits for
/// whoever holds it, at most ten seconds. Throws Error (write_failed).
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::filesystem::path& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int fd_;
};

}  // namespace rp::certs
