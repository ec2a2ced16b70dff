#pragma once

#include <string>
#include <utility>
#include <vector>

namespace rp::handlers {

/// A file descriptor that closes itself.
class FileDescriptor final {
 public:
  explicit FileDescriptor(int fd = -1) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_;
};

struct TrustedFile {
  FileDescriptor fd;          ///< open for reading
  bool is_directory = false;  ///< else a regular file
};

/// Opens a regular file or a directory that nobody but root and this process's user can have put
/// there or changed (RELIABILITY T21); PluginSet::load() states the rules. What was checked is what
/// is open: the path is walked from the root by descriptors. Throws PluginRefused.
TrustedFile open_trusted(const std::string& path);

/// The names in `directory` that end in ".so", sorted.
std::vector<std::string> shared_libraries_in(const FileDescriptor& directory);

}  // namespace rp::handlers
