#include "queue/data_directory.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "pipe/log.h"

namespace rp::queue {
namespace {

// What the store needs at worst to write out its buffers and to merge some files: 128 MiB, on a
// small disk a tenth of it.
constexpr std::uint64_t kInHandMax = 128 * 1024 * 1024;
constexpr std::uint64_t kInHandPart = 10;
// A tenth of that in the reserve: some 100,000 deletes.
constexpr std::uint64_t kReservePart = 10;
constexpr std::string_view kLockName = "/lock";
constexpr std::string_view kReserveName = "/reserve";

std::string reason(int code) { return std::generic_category().message(code); }

Error unusable(const std::string& path, const std::string& what, int code) {
  return {
      .code = Errc::unusable,
      .detail = "the data directory " + path + " cannot be used: " + what + ": " + reason(code)};
}

Status sync_directory(const std::string& path, const std::string& what) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = directory >= 0 && fsync(directory) == 0;
  const int code = errno;
  if (directory >= 0) ::close(directory);
  if (!synced) return unusable(path, what, code);
  return {};
}

}  // namespace

Result<std::unique_ptr<DataDirectory>> DataDirectory::open(const std::string& path) {
  const bool made = mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return unusable(path, "making it", errno);
  if (made) {
    // A message is not durable in a directory whose name is not.
    const auto parent = std::filesystem::absolute(path).parent_path().string();
    if (auto status = sync_directory(parent, "syncing it"); !status) return status.error();
  }
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return unusable(path, "looking at it", errno);
  if (!S_ISDIR(status.st_mode)) return unusable(path, "looking at it", ENOTDIR);
  // Messages are nobody else's business, whatever the directory was made with.
  if ((status.st_mode & 0777) != 0700 && chmod(path.c_str(), 0700) != 0) {
    return unusable(path, "setting its mode to 0700", errno);
  }
  const auto lock_path = path + std::string(kLockName);
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return unusable(path, "opening its lock", errno);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const int code = errno;
    ::close(lock);
    if (code != EWOULDBLOCK) return unusable(path, "locking it", code);
    return Error{.code = Errc::in_use,
                 .detail = "the data directory " + path + " is in use by another process"};
  }
  return std::unique_ptr<DataDirectory>(new DataDirectory(path, lock));
}

DataDirectory::DataDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {
  struct statvfs status {};
  if (statvfs(path_.c_str(), &status) == 0) disk_bytes_ = status.f_blocks * status.f_frsize;
  in_hand_bytes_ = std::min(kInHandMax, disk_bytes_ / kInHandPart);
  const auto file = path_ + std::string(kReserveName);
  struct stat reserve {};
  reserve_kept_ = stat(file.c_str(), &reserve) == 0;
  // Opening the store writes a little; it must not fail for that.
  if (free_bytes() < in_hand_bytes_) give_up_reserve();
}

DataDirectory::~DataDirectory() { ::close(lock_); }

std::uint64_t DataDirectory::free_bytes() const {
  struct statvfs status {};
  // A disk that does not even tell how full it is gives its error when it is written to.
  if (statvfs(path_.c_str(), &status) != 0) return in_hand_bytes_ * 2;
  return status.f_bavail * status.f_frsize;
}

Status DataDirectory::sync() const { return sync_directory(path_, "syncing it"); }

bool DataDirectory::has_room() {
  const auto free = free_bytes();
  const auto wanted = short_ ? in_hand_bytes_ + in_hand_bytes_ / 2 : in_hand_bytes_;
  short_ = free < wanted;
  if (!short_ && !reserve_kept_ && free > 2 * in_hand_bytes_) keep_reserve();
  return !short_;
}

void DataDirectory::give_up_reserve() {
  short_ = true;
  if (!reserve_kept_) return;
  reserve_kept_ = false;
  const auto file = path_ + std::string(kReserveName);
  if (unlink(file.c_str()) != 0) {
    log(LogLevel::warning, "queue", "the reserve of disk space cannot be given up",
        {{"file", file}, {"reason", reason(errno)}});
  }
}

void DataDirectory::keep_reserve() {
  // Set even when it fails: it is not worth an attempt with every group.
  reserve_kept_ = true;
  const auto file = path_ + std::string(kReserveName);
  const int reserve = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  const auto size = static_cast<off_t>(in_hand_bytes_ / kReservePart);
  const int failed = reserve < 0 ? errno : posix_fallocate(reserve, 0, size);
  if (reserve >= 0) ::close(reserve);
  if (failed == 0) return;
  log(LogLevel::warning, "queue", "no disk space can be kept in reserve",
      {{"file", file}, {"reason", reason(failed)}});
}

}  // namespace rp::queue
