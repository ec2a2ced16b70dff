#include "handlers/files/served_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

namespace rp::handlers {
namespace {

constexpr std::string_view kIndex = "index.html";

/// openat2() may say EAGAIN when something is renamed while it looks; that passes.
constexpr int kAttempts = 8;

FileDescriptor open_root(const std::string& root) {
  return FileDescriptor(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/// The kernel keeps it below `root`: no "..", no absolute link, no /proc link leads out.
FileDescriptor open_beneath(const FileDescriptor& root, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;  // a fifo is not waited for
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  for (int i = 0; i < kAttempts && fd < 0; ++i) {
    fd = syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how));
    if (fd < 0 && errno != EAGAIN && errno != EINTR) break;
  }
  return FileDescriptor(static_cast<int>(fd));
}

/// "/a//b/" to "a/b/index.html"; "" for what is hidden.
std::string file_path(std::string_view path) {
  std::string result;
  const bool is_directory = path.ends_with('/');
  while (!path.empty()) {
    const auto name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(name.size() + 1, path.size()));
    if (name.empty()) continue;
    if (name.starts_with('.')) return {};
    result.append(result.empty() ? "" : "/").append(name);
  }
  if (is_directory) result.append(result.empty() ? "" : "/").append(kIndex);
  return result;
}

ServedFile::Kind kind_of(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return ServedFile::Kind::forbidden;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EIO:
    case ENOSYS:
    case EAGAIN:
      return ServedFile::Kind::failed;
    default:  // not there, not a directory on the way, or outside
      return ServedFile::Kind::absent;
  }
}

/// Changes with the content, as far as the file system tells.
std::string etag_of(const struct stat& status) {
  char text[80];
  std::snprintf(text, sizeof(text), "\"%llx-%lx%08lx-%llx\"",
                static_cast<unsigned long long>(status.st_size),
                static_cast<unsigned long>(status.st_mtim.tv_sec),
                static_cast<unsigned long>(status.st_mtim.tv_nsec),
                static_cast<unsigned long long>(status.st_ino));
  return text;
}

ServedFile unopened(int error) {
  ServedFile served;
  served.kind = kind_of(error);
  served.error = error;
  return served;
}

}  // namespace

ServedFile open_served(const std::string& root, std::string_view path) {
  ServedFile served;
  if (path.empty()) {
    served.kind = ServedFile::Kind::directory;
    return served;
  }
  const auto name = file_path(path);
  if (name.empty()) return served;
  const auto directory = open_root(root);
  if (!directory) return unopened(errno);
  auto fd = open_beneath(directory, name);
  if (!fd) return unopened(errno);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return unopened(errno);
  if (S_ISDIR(status.st_mode)) {
    served.kind = path.ends_with('/') ? ServedFile::Kind::absent : ServedFile::Kind::directory;
    return served;
  }
  if (!S_ISREG(status.st_mode)) return served;
  served.kind = ServedFile::Kind::file;
  served.fd = std::move(fd);
  served.state = {etag_of(status), status.st_mtim.tv_sec,
                  static_cast<std::uint64_t>(status.st_size)};
  served.name = name.substr(name.rfind('/') + 1);
  return served;
}

std::string what_is_wrong_with_root(const std::string& root) {
  const auto directory = open_root(root);
  if (!directory) return std::strerror(errno);
  const auto here = open_beneath(directory, ".");
  if (here) return {};
  if (errno == ENOSYS) return "this kernel has no openat2(); Linux 5.6 or later has it";
  return std::strerror(errno);
}

}  // namespace rp::handlers
