#include "certs/replace.h"

#include <cerrno>
#include <chrono>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "certs/error.h"
#include "certs/files.h"

namespace rp::certs {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPrevious = ".previous";        // what the targets were: not done yet
constexpr const char* kDiscarded = ".previous.done";  // done: to be removed
constexpr std::chrono::seconds kLockTimeout{10};

[[noreturn]] void fail(const std::string& what, const fs::path& path, int error) {
  throw Error(ErrorKind::write_failed, "cannot " + what + " " + path.string() + ": " +
                                           std::generic_category().message(error));
}

fs::path staged(const fs::path& target) {
  return directory_of(target) / ("." + target.filename().string() + ".new");
}

fs::path previous(const fs::path& target) {
  return directory_of(target) / kPrevious / target.filename();
}

bool is_there(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

void sync_directory(const fs::path& directory) {
  const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) fail("sync", directory, errno);
}

// An administrator installs for a service that runs as its own user and has its own directory: a
// key that stayed root's would be one that the service cannot read.
void give_to_owner_of_directory(const fs::path& made) {
  if (::geteuid() != 0) return;
  struct stat directory {};
  if (::stat(directory_of(made).c_str(), &directory) != 0)
    fail("look at", directory_of(made), errno);
  if (::lchown(made.c_str(), directory.st_uid, directory.st_gid) != 0)
    fail("set the owner of", made, errno);
}

void stage(const NewFile& file) {
  const fs::path path = staged(file.path);
  ::unlink(path.c_str());  // of a run that was killed
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             S_IRUSR | S_IWUSR));
  if (fd.get() < 0) fail("write to", directory_of(path), errno);
  if (::fchmod(fd.get(), file.mode) != 0) fail("set the mode of", path, errno);
  give_to_owner_of_directory(path);
  std::string_view rest = file.contents;
  while (!rest.empty()) {
    const ssize_t count = ::write(fd.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("write", path, errno);
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) != 0) fail("sync", path, errno);
}

void open_previous(const fs::path& directory) {
  const fs::path path = directory / kPrevious;
  if (::mkdir(path.c_str(), S_IRWXU) != 0) fail("make directory", path, errno);
  if (::chmod(path.c_str(), S_IRWXU) != 0) fail("set the mode of", path, errno);
  give_to_owner_of_directory(path);
}

// A file system without hard links, or another user's file, leaves no way back for that file.
void keep(const fs::path& target) {
  static_cast<void>(::link(target.c_str(), previous(target).c_str()));
}

void discard(const fs::path& directory) {
  std::error_code ignored;
  fs::remove_all(directory / kDiscarded, ignored);
}

// The one step that makes the new files those that count.
void commit(const fs::path& directory) {
  if (::rename((directory / kPrevious).c_str(), (directory / kDiscarded).c_str()) != 0)
    fail("finish in", directory, errno);
  sync_directory(directory);
  discard(directory);
}

void roll_back(const fs::path& directory) {
  discard(directory);
  if (!is_there(directory / kPrevious)) return;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory / kPrevious, ignored)) {
    const fs::path target = directory / entry.path().filename();
    if (::rename(entry.path().c_str(), target.c_str()) != 0) fail("put back", target, errno);
    ::unlink(entry.path().c_str());  // rename() does nothing with two links to one file
  }
  if (::rmdir((directory / kPrevious).c_str()) != 0) fail("remove", directory / kPrevious, errno);
}

std::set<fs::path> directories_of(const std::vector<NewFile>& files) {
  std::set<fs::path> directories;
  for (const NewFile& file : files) directories.insert(directory_of(file.path));
  return directories;
}

void undo(const std::vector<NewFile>& files, const std::vector<fs::path>& appeared) noexcept {
  try {
    for (const fs::path& directory : directories_of(files)) roll_back(directory);
  } catch (const std::exception&) {
    // `.previous` stays, so settled() goes on leading to what was before.
  }
  for (const fs::path& target : appeared) ::unlink(target.c_str());
  for (const NewFile& file : files) ::unlink(staged(file.path).c_str());
}

}  // namespace

void make_private_directory(const fs::path& directory) {
  if (directory.empty() || fs::is_directory(directory)) return;
  make_private_directory(directory.parent_path());
  if (::mkdir(directory.c_str(), S_IRWXU) != 0) {
    if (errno == EEXIST && fs::is_directory(directory)) return;
    fail("make directory", directory, errno);
  }
  // A umask can only have taken bits away: give the owner's back.
  if (::chmod(directory.c_str(), S_IRWXU) != 0) fail("set the mode of", directory, errno);
}

void replace_files(const std::vector<NewFile>& files) {
  const std::set<fs::path> directories = directories_of(files);
  std::vector<fs::path> appeared;  // targets that did not exist before
  try {
    for (const fs::path& directory : directories) roll_back(directory);
    for (const NewFile& file : files) stage(file);
    for (const fs::path& directory : directories) open_previous(directory);
    for (const NewFile& file : files) keep(file.path);
    for (const fs::path& directory : directories) {
      sync_directory(directory / kPrevious);
      sync_directory(directory);
    }
    for (const NewFile& file : files) {
      const bool existed = is_there(file.path);
      if (::rename(staged(file.path).c_str(), file.path.c_str()) != 0)
        fail("replace", file.path, errno);
      if (!existed) appeared.push_back(file.path);
    }
    for (const fs::path& directory : directories) sync_directory(directory);
    for (const fs::path& directory : directories) commit(directory);
  } catch (...) {
    undo(files, appeared);
    throw;
  }
}

fs::path settled(const fs::path& path) {
  const fs::path before = previous(path);
  return is_there(before) ? before : path;
}

DirectoryLock::DirectoryLock(const fs::path& directory)
    : directory_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (directory_.get() < 0) fail("open directory", directory, errno);
  const auto deadline = std::chrono::steady_clock::now() + kLockTimeout;
  while (::flock(directory_.get(), LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    const bool wait = error == EWOULDBLOCK || error == EINTR;
    if (!wait || std::chrono::steady_clock::now() >= deadline)
      fail("lock directory", directory, error);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace rp::certs
