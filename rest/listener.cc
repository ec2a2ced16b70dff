#include "rest/listener.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <netdb.h>
#include <unistd.h>

#include "rest/server.h"

namespace rp::rest {
namespace {

constexpr int kBacklog = 4096;  // the kernel lowers it to net.core.somaxconn

std::string reason(int error) {
  if (error == EADDRINUSE) return "the address is in use; stop its owner or choose another";
  if (error == EACCES) return "permission denied; ports below 1024 and foreign directories need it";
  if (error == EADDRNOTAVAIL) return "no interface of this machine has that address";
  return std::strerror(error);
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

/// True when some process accepts connections on that socket file.
bool is_served(const sockaddr_un& address) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return true;  // unknown: better not to remove it
  const bool refused =
      ::connect(probe, generic(address), sizeof address) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return !refused;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  if (address.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace

Listener::Listener(const Endpoint& endpoint, mode_t unix_mode) : endpoint_(endpoint) {
  try {
    if (endpoint_.is_unix()) {
      open_unix(unix_mode);
    } else {
      open_tcp();
    }
    listen();
  } catch (...) {
    if (fd_ >= 0) ::close(fd_);
    throw;
  }
}

Listener::~Listener() {
  ::close(fd_);
  struct stat file {};
  if (inode_ != 0 && ::lstat(endpoint_.unix_path.c_str(), &file) == 0 && file.st_dev == device_ &&
      file.st_ino == inode_)
    ::unlink(endpoint_.unix_path.c_str());
}

void Listener::open_tcp() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const auto port = std::to_string(endpoint_.port);
  if (const int error = ::getaddrinfo(endpoint_.host.c_str(), port.c_str(), &hints, &found))
    fail(std::string("the host does not resolve: ") + ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> guard(found, &::freeaddrinfo);
  fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) fail(reason(errno));
  const int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd_, found->ai_addr, found->ai_addrlen) != 0) fail(reason(errno));
  endpoint_.port = port_of(fd_);
}

void Listener::open_unix(mode_t mode) {
  const auto address = unix_address(endpoint_.unix_path);
  struct stat file {};
  if (::lstat(endpoint_.unix_path.c_str(), &file) == 0) {
    if (!S_ISSOCK(file.st_mode)) fail("a file that is no socket is in the way");
    if (is_served(address)) fail(reason(EADDRINUSE));
    ::unlink(endpoint_.unix_path.c_str());
  }
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) fail(reason(errno));
  // The file takes the socket's mode less the umask, so it is never looser than asked; chmod then
  // gives back what the umask took.
  ::fchmod(fd_, mode);
  if (::bind(fd_, generic(address), sizeof address) != 0) fail(reason(errno));
  if (::lstat(endpoint_.unix_path.c_str(), &file) == 0) {
    device_ = file.st_dev;
    inode_ = file.st_ino;
  }
  if (::chmod(endpoint_.unix_path.c_str(), mode) != 0) fail(reason(errno));
}

void Listener::listen() {
  if (::listen(fd_, kBacklog) != 0) fail(reason(errno));
}

void Listener::fail(const std::string& what) const {
  throw ListenError("cannot listen on " + to_string(endpoint_) + ": " + what);
}

}  // namespace rp::rest
