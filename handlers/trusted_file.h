#pragma once

#include <string>
#include <string_view>
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
  /// Whoever calls it closes the descriptor.
  int release() noexcept { return std::exchange(fd_, -1); }
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
/// is open: the path is walked from the root by descriptors. Throws PluginRefused, which names the
/// path as a `what`.
TrustedFile open_trusted(const std::string& path, std::string_view what = "plugin");

/// The same for the regular file `name` of a directory that open_trusted() has opened; `path` is
/// the file's own, for the words of a refusal.
FileDescriptor open_trusted_in(const FileDescriptor& directory, const std::string& name,
                               const std::string& path, std::string_view what);

/// What an open directory holds, without "." and "..", sorted; nothing when it cannot be read. May
/// be asked again.
std::vector<std::string> names_in(const FileDescriptor& directory);

/// The files of plugins that `path` stands for: itself, or all files in it that end in ".so",
/// sorted. Throws PluginRefused like open_trusted(), and for a folder without such a file.
std::vector<std::string> plugin_files(const std::string& path);

}  // namespace rp::handlers
