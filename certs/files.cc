#include "certs/files.h"

#include <cerrno>
#include <cstdio>
#include <sys/stat.h>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "certs/descriptor.h"
#include "certs/error.h"

namespace rp::certs {
namespace fs = std::filesystem;
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

// Non-blocking, so that a FIFO in the place of a file is refused instead of waited for.
int open_to_read(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0) return fd;
  const int error = errno;
  if (error == ENOENT || error == ENOTDIR)
    throw Error(ErrorKind::missing, path.string() + " does not exist");
  throw Error(ErrorKind::unreadable, "cannot open " + path.string() + ": " + reason(error));
}

struct stat look_at(const Descriptor& file, const fs::path& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0)
    throw Error(ErrorKind::unreadable, "cannot look at " + path.string() + ": " + reason(errno));
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorKind::unreadable, path.string() + " is not a regular file");
  return status;
}

// Root may also look after a service's identity: a key of the user to whom the whole directory
// belongs.
bool trusted_owner(uid_t owner, const fs::path& path) {
  if (owner == ::geteuid() || owner == 0) return true;
  struct stat directory {};
  return ::geteuid() == 0 && ::stat(directory_of(path).c_str(), &directory) == 0 &&
         directory.st_uid == owner;
}

std::string read_all(const Descriptor& file, const fs::path& path, std::size_t bytes_max) {
  std::string contents;
  char block[16 * 1024];
  for (;;) {
    const ssize_t count = ::read(file.get(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      throw Error(ErrorKind::unreadable, "cannot read " + path.string() + ": " + reason(errno));
    if (count == 0) return contents;
    contents.append(block, static_cast<std::size_t>(count));
    if (contents.size() > bytes_max)
      throw Error(ErrorKind::unreadable,
                  path.string() + " is larger than " + std::to_string(bytes_max) + " bytes");
  }
}

}  // namespace

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

std::string read_file(const fs::path& path, std::size_t bytes_max) {
  const Descriptor file(open_to_read(path));
  look_at(file, path);
  return read_all(file, path, bytes_max);
}

std::string read_optional_file(const fs::path& path, std::size_t bytes_max) {
  try {
    return read_file(path, bytes_max);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::missing) return {};
    throw;
  }
}

std::string read_key_file(const fs::path& path) {
  const Descriptor file(open_to_read(path));
  const struct stat status = look_at(file, path);
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", status.st_mode & 07777U);
    throw Error(ErrorKind::loose_permissions, "private key " + path.string() + " has mode " + mode +
                                                  "; others must have no access, use 0600");
  }
  if (!trusted_owner(status.st_uid, path))
    throw Error(ErrorKind::loose_permissions, "private key " + path.string() + " belongs to user " +
                                                  std::to_string(status.st_uid) +
                                                  "; it must belong to this user or to root");
  return read_all(file, path, kIdentityFileBytesMax);
}

}  // namespace rp::certs
