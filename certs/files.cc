#include "certs/files.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "certs/error.h"

namespace rp::certs {
namespace fs = std::filesystem;
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

[[noreturn]] void fail_write(const std::string& what, const fs::path& path, int error) {
  throw Error(ErrorKind::write_failed,
              "cannot " + what + " " + path.string() + ": " + reason(error));
}

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

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

std::string read_all(const Descriptor& file, const fs::path& path) {
  std::string contents;
  char block[16 * 1024];
  for (;;) {
    const ssize_t count = ::read(file.get(), block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      throw Error(ErrorKind::unreadable, "cannot read " + path.string() + ": " + reason(errno));
    if (count == 0) return contents;
    contents.append(block, static_cast<std::size_t>(count));
    if (contents.size() > kIdentityFileBytesMax)
      throw Error(ErrorKind::unreadable, path.string() + " is larger than " +
                                             std::to_string(kIdentityFileBytesMax) + " bytes");
  }
}

fs::path temporary_beside(const fs::path& path, std::string_view purpose) {
  static thread_local std::random_device random;
  return directory_of(path) / ("." + path.filename().string() + "." + std::string(purpose) + "." +
                               std::to_string(::getpid()) + "." + std::to_string(random()));
}

void sync_directory(const fs::path& directory) {
  const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) fail_write("sync", directory, errno);
}

// An administrator installs for a service that runs as its own user and has its own directory: a
// key that stayed root's would be one that the service cannot read.
void give_to_owner_of_directory(const Descriptor& file, const fs::path& path) {
  if (::geteuid() != 0) return;
  struct stat directory {};
  if (::stat(directory_of(path).c_str(), &directory) != 0)
    fail_write("look at", directory_of(path), errno);
  if (::fchown(file.get(), directory.st_uid, directory.st_gid) != 0)
    fail_write("set the owner of", path, errno);
}

void write_new(const fs::path& path, const NewFile& file) {
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             S_IRUSR | S_IWUSR));
  if (fd.get() < 0) fail_write("write to", directory_of(path), errno);
  if (::fchmod(fd.get(), file.mode) != 0) fail_write("set the mode of", path, errno);
  give_to_owner_of_directory(fd, path);
  std::string_view rest = file.contents;
  while (!rest.empty()) {
    const ssize_t count = ::write(fd.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail_write("write", path, errno);
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) != 0) fail_write("sync", path, errno);
}

// The way of one file from staged to in place, and back if a later one fails.
class Replacement {
 public:
  explicit Replacement(const NewFile& file)
      : target_(file.path),
        staged_(temporary_beside(file.path, "new")),
        previous_(temporary_beside(file.path, "old")) {
    try {
      write_new(staged_, file);
    } catch (...) {
      ::unlink(staged_.c_str());
      throw;
    }
    if (::link(target_.c_str(), previous_.c_str()) == 0) {
      before_ = Before::saved;
    } else if (errno != ENOENT) {
      // A file system without hard links, or another user's file: replaced without a way back.
      before_ = Before::not_saved;
    }
  }
  ~Replacement() {
    if (!placed_) ::unlink(staged_.c_str());
    if (before_ == Before::saved) ::unlink(previous_.c_str());
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  void place() {
    if (::rename(staged_.c_str(), target_.c_str()) != 0) fail_write("replace", target_, errno);
    placed_ = true;
  }

  void undo() noexcept {
    if (!placed_) return;
    if (before_ == Before::saved) ::rename(previous_.c_str(), target_.c_str());
    if (before_ == Before::absent) ::unlink(target_.c_str());
  }

 private:
  enum class Before { absent, saved, not_saved };

  const fs::path target_;
  const fs::path staged_;
  const fs::path previous_;
  Before before_ = Before::absent;
  bool placed_ = false;
};

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor file(open_to_read(path));
  look_at(file, path);
  return read_all(file, path);
}

std::string read_optional_file(const fs::path& path) {
  try {
    return read_file(path);
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
  return read_all(file, path);
}

void make_private_directory(const fs::path& directory) {
  if (directory.empty() || fs::is_directory(directory)) return;
  make_private_directory(directory.parent_path());
  if (::mkdir(directory.c_str(), S_IRWXU) != 0) {
    if (errno == EEXIST && fs::is_directory(directory)) return;
    fail_write("make directory", directory, errno);
  }
  // A umask can only have taken bits away: give the owner's back.
  if (::chmod(directory.c_str(), S_IRWXU) != 0) fail_write("set the mode of", directory, errno);
}

void replace_files(const std::vector<NewFile>& files) {
  std::vector<std::unique_ptr<Replacement>> replacements;
  for (const NewFile& file : files) replacements.push_back(std::make_unique<Replacement>(file));
  try {
    for (const auto& replacement : replacements) replacement->place();
    for (const NewFile& file : files) sync_directory(directory_of(file.path));
  } catch (...) {
    for (const auto& replacement : replacements) replacement->undo();
    throw;
  }
}

DirectoryLock::DirectoryLock(const fs::path& directory)
    : fd_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (fd_ < 0) fail_write("open directory", directory, errno);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    const bool wait = error == EWOULDBLOCK || error == EINTR;
    if (wait && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    ::close(fd_);
    fail_write("lock directory", directory, error);
  }
}

DirectoryLock::~DirectoryLock() { ::close(fd_); }

}  // namespace rp::certs
