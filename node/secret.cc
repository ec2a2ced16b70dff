#include "node/secret.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include "node/exit_codes.h"

namespace rp::node {
namespace {

constexpr std::size_t kSecretBytesMin = 16;  // shorter ones can be guessed
constexpr std::size_t kSecretBytesMax = 4096;

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw StartupError(ExitCode::configuration, file.string() + ": " + why);
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

void check_owner_and_mode(const std::filesystem::path& file, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) refuse(file, "is not a regular file");
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    refuse(file, "belongs to another user; accepted: this user or root");
  }
  const mode_t allowed = status.st_uid == 0 ? S_IRGRP : 0;  // systemd credentials are 0440
  if ((status.st_mode & (S_IRWXG | S_IRWXO) & ~allowed) != 0) {
    refuse(file, "is open to other users; accepted: mode 0600 or 0400");
  }
}

}  // namespace

std::string read_secret(const std::filesystem::path& file) {
  // Not blocking, so that a FIFO in place of the file is refused instead of waited for.
  const Descriptor in{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (in.fd < 0) refuse(file, std::string("cannot be read: ") + std::strerror(errno));
  struct stat status {};
  if (::fstat(in.fd, &status) != 0) refuse(file, std::strerror(errno));
  check_owner_and_mode(file, status);

  std::array<char, kSecretBytesMax + 3> buffer;  // one byte too many, after a line break of two
  const ssize_t length = ::read(in.fd, buffer.data(), buffer.size());
  if (length < 0) refuse(file, std::string("cannot be read: ") + std::strerror(errno));
  std::string secret(buffer.data(), static_cast<std::size_t>(length));
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.ends_with('\r')) secret.pop_back();

  const bool printable =
      std::all_of(secret.begin(), secret.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (secret.size() < kSecretBytesMin || secret.size() > kSecretBytesMax || !printable) {
    refuse(file, "accepted: one line of 16 to 4096 printable characters without blanks");
  }
  return secret;
}

void disable_core_dumps() noexcept {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);  // lowering a limit is always permitted
}

}  // namespace rp::node
