#include "node/statsd.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <sys/socket.h>
#include <thread>
#include <utility>

#include <netdb.h>
#include <unistd.h>

#include "pipe/log.h"

namespace rp::node {
namespace {

constexpr std::size_t kNameBytesMax = 128;
constexpr std::size_t kDatagramBytesMax = kNameBytesMax + 32;  // a name, a number and the marks

// How long nothing is sent after the kernel reported that nobody listens: long enough that an
// absent daemon costs next to nothing, short enough that a new one misses little.
constexpr std::chrono::milliseconds kRefusedPause{100};

std::int64_t now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// A connected, non-blocking UDP socket, or -1 with the reason.
int connect_to(const HostPort& daemon, std::string& why) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(daemon.port);
  if (const int error = ::getaddrinfo(daemon.host.c_str(), port.c_str(), &hints, &found)) {
    why = ::gai_strerror(error);
    return -1;
  }
  // The reference speaks IPv4 only, so a daemon that it reached is there; IPv6 comes second.
  int fd = -1;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* a = found; a && fd < 0; a = a->ai_next) {
      if (a->ai_family != family) continue;
      fd = ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd >= 0 && ::connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
        why = std::strerror(errno);
        ::close(std::exchange(fd, -1));
      }
    }
  }
  ::freeaddrinfo(found);
  return fd;
}

}  // namespace

struct Statsd::State {
  explicit State(HostPort d) : daemon(std::move(d)) {}
  ~State() {
    if (const int fd = socket.load(); fd >= 0) ::close(fd);
  }

  void resolve() {
    std::string why;
    const int fd = connect_to(daemon, why);
    if (fd < 0) {
      log(LogLevel::warning, "statsd", "No metrics are sent: the daemon's address cannot be used",
          {{"daemon", to_string(daemon)}, {"reason", why}});
    }
    const std::lock_guard lock(mutex);
    socket.store(fd, std::memory_order_release);
    resolved = true;
    done.notify_all();
  }

  void send(std::string_view datagram) noexcept;
  void on_refused(int fd, std::string_view datagram) noexcept;

  const HostPort daemon;
  std::atomic<int> socket{-1};  // set once; -1 until then
  std::atomic<std::int64_t> paused_until_ms{0};
  std::atomic<bool> refusal_logged{false};

  std::mutex mutex;  // guards `resolved`
  std::condition_variable done;
  bool resolved = false;
};

void Statsd::State::send(std::string_view datagram) noexcept {
  const int fd = socket.load(std::memory_order_acquire);
  if (fd < 0) return;
  const std::int64_t paused = paused_until_ms.load(std::memory_order_relaxed);
  if (paused != 0 && now_ms() < paused) return;
  if (::send(fd, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
      errno == ECONNREFUSED) {
    on_refused(fd, datagram);
  }
}

/// The error belongs to an earlier datagram, and this one was not sent. It is tried once more; when
/// that one is refused as well (which loopback reports at once), there is nobody to send to.
void Statsd::State::on_refused(int fd, std::string_view datagram) noexcept {
  static_cast<void>(::send(fd, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  paused_until_ms.store(error == ECONNREFUSED ? now_ms() + kRefusedPause.count() : 0,
                        std::memory_order_relaxed);
  if (error == ECONNREFUSED && !refusal_logged.exchange(true)) {
    log(LogLevel::info, "statsd", "Nobody takes metrics; they are dropped until somebody does",
        {{"daemon", to_string(daemon)}});
  }
}

Statsd::Statsd(const std::optional<HostPort>& daemon) {
  if (!daemon) return;
  state_ = std::make_shared<State>(*daemon);
  // Detached, since no call can end a lookup that hangs; the thread owns what it touches.
  std::thread([state = state_] { state->resolve(); }).detach();
  std::unique_lock lock(state_->mutex);
  if (!state_->done.wait_for(lock, kResolveWait, [&] { return state_->resolved; })) {
    log(LogLevel::warning, "statsd", "The daemon's name is not resolved yet; going on without",
        {{"daemon", to_string(*daemon)}});
  }
}

Statsd::~Statsd() = default;

bool Statsd::enabled() const noexcept { return state_ && state_->socket.load() >= 0; }

void Statsd::tick(std::string_view name) noexcept {
  if (!state_ || name.size() > kNameBytesMax) return;
  std::array<char, kDatagramBytesMax> datagram;
  char* end = std::copy(name.begin(), name.end(), datagram.data());
  constexpr std::string_view kOne = ":1|c";
  end = std::copy(kOne.begin(), kOne.end(), end);
  state_->send({datagram.data(), static_cast<std::size_t>(end - datagram.data())});
}

void Statsd::timing(std::string_view name, std::chrono::nanoseconds duration) noexcept {
  if (!state_ || name.size() > kNameBytesMax) return;
  std::array<char, kDatagramBytesMax> datagram;
  char* end = std::copy(name.begin(), name.end(), datagram.data());
  *end++ = ':';
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  end = std::to_chars(end, datagram.data() + datagram.size(), ms).ptr;
  constexpr std::string_view kUnit = "|ms";
  end = std::copy(kUnit.begin(), kUnit.end(), end);
  state_->send({datagram.data(), static_cast<std::size_t>(end - datagram.data())});
}

std::string Statsd::sanitised(std::string_view text, std::size_t bytes_max) {
  std::string out(text.substr(0, bytes_max));
  for (char& c : out) {
    const bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                         (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    if (!allowed) c = '_';
  }
  return out;
}

}  // namespace rp::node
