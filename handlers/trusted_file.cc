#include "handlers/trusted_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "handlers/plugin_set.h"

namespace rp::handlers {
namespace {

/// What is being opened, for the words of a refusal.
struct Wanted {
  const std::string& path;
  std::string_view what;  ///< "plugin"
};

[[noreturn]] void refuse(const Wanted& wanted, const std::string& rule) {
  throw PluginRefused(std::string(wanted.what) + " " + wanted.path + " refused: " + rule);
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof(text), "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

/// `here` is the part of the path that `fd` stands for.
struct stat check_one(int fd, const std::string& here, const Wanted& wanted) {
  struct stat status {};
  if (fstat(fd, &status) != 0) refuse(wanted, here + ": " + std::strerror(errno));
  if (S_ISLNK(status.st_mode)) refuse(wanted, here + " is a symbolic link; give the real path");
  if (status.st_uid != 0 && status.st_uid != geteuid()) {
    refuse(wanted, here + " belongs to uid " + std::to_string(status.st_uid) +
                       "; only root or uid " + std::to_string(geteuid()) + " may own it");
  }
  const bool others_write = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  // In a sticky folder others may add names but not touch ours, and ours are checked next.
  const bool sticky =
      S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0 && status.st_uid == 0;
  if (others_write && !sticky) {
    refuse(wanted, here + " may be written by its group or others (mode " + octal(status.st_mode) +
                       "); it must not be");
  }
  return status;
}

FileDescriptor open_at(int directory, const std::string& name, bool last, const std::string& here,
                       const Wanted& wanted) {
  // O_PATH looks at links themselves; O_NONBLOCK does not wait for the writer of a fifo.
  const int flags = O_CLOEXEC | O_NOFOLLOW | (last ? O_RDONLY | O_NONBLOCK : O_PATH);
  FileDescriptor fd(openat(directory, name.c_str(), flags));
  if (fd) return fd;
  if (errno == ELOOP) refuse(wanted, here + " is a symbolic link; give the real path");
  refuse(wanted, here + ": " + std::strerror(errno));
}

std::vector<std::string> split_path(const Wanted& wanted) {
  const std::string& path = wanted.path;
  if (!path.starts_with('/')) refuse(wanted, "the path must be absolute");
  if (path.find('\0') != std::string::npos) refuse(wanted, "the path holds a NUL byte");
  std::vector<std::string> names;
  for (std::size_t begin = 1; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    auto name = path.substr(begin, end - begin);
    if (name == "..") refuse(wanted, "the path must not hold '..'");
    if (!name.empty() && name != ".") names.push_back(std::move(name));
    begin = end + 1;
  }
  return names;
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

TrustedFile open_trusted(const std::string& path, std::string_view what) {
  const Wanted wanted{path, what};
  const auto names = split_path(wanted);
  std::string here = "/";
  FileDescriptor fd(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) refuse(wanted, here + ": " + std::strerror(errno));
  auto status = check_one(fd.get(), here, wanted);
  here.clear();
  for (std::size_t i = 0; i < names.size(); ++i) {
    here.append("/").append(names[i]);
    fd = open_at(fd.get(), names[i], i + 1 == names.size(), here, wanted);
    status = check_one(fd.get(), here, wanted);
  }
  const bool is_directory = S_ISDIR(status.st_mode);
  if (!is_directory && !S_ISREG(status.st_mode)) {
    refuse(wanted, "it is neither a regular file nor a directory");
  }
  return {std::move(fd), is_directory};
}

FileDescriptor open_trusted_in(const FileDescriptor& directory, const std::string& name,
                               const std::string& path, std::string_view what) {
  const Wanted wanted{path, what};
  auto fd = open_at(directory.get(), name, true, path, wanted);
  if (!S_ISREG(check_one(fd.get(), path, wanted).st_mode)) {
    refuse(wanted, "it is not a regular file");
  }
  return fd;
}

std::vector<std::string> names_in(const FileDescriptor& directory) {
  std::vector<std::string> names;
  // Opened anew, not duplicated: a duplicate goes on where the last listing ended.
  const int copy = openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(copy < 0 ? nullptr : fdopendir(copy),
                                                    &closedir);
  if (!listing) {
    if (copy >= 0) close(copy);
    return names;
  }
  while (const auto* const entry = readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> plugin_files(const std::string& path) {
  const auto found = open_trusted(path);
  if (!found.is_directory) return {path};
  std::vector<std::string> files;
  for (const auto& name : names_in(found.fd)) {
    if (!name.ends_with(".so")) continue;
    files.push_back((path.ends_with('/') ? path : path + "/") + name);
    const auto& file = files.back();
    if (open_trusted(file).is_directory) {
      refuse({file, "plugin"}, "it is a folder, not a shared library");
    }
  }
  if (files.empty()) refuse({path, "plugin"}, "the folder holds no file that ends in .so");
  return files;
}

}  // namespace rp::handlers
