#include "rest/poller.h"

#include <chrono>
#include <cstdint>
#include <vector>

#include <pistache/os.h>

namespace rp::rest {
namespace {

namespace ps = Pistache::Polling;
using ps::NotifyOn;

const Pistache::Flags<NotifyOn> kInput(NotifyOn::Read | NotifyOn::Shutdown);
const Pistache::Flags<NotifyOn> kInputAndRoom(NotifyOn::Read | NotifyOn::Write |
                                              NotifyOn::Shutdown);

// Pistache keeps the descriptor of its poller to itself. The arguments of an explicit instantiation
// are not subject to access control, so this reaches it without a word of undefined behaviour.
template <auto Member>
struct Reach {
  friend int descriptor_of(const ps::Epoll& epoll) { return epoll.*Member; }
};
template struct Reach<&ps::Epoll::epoll_fd>;
int descriptor_of(const ps::Epoll& epoll);

ps::Tag tag_of(int fd) { return ps::Tag(static_cast<std::uint64_t>(fd)); }

}  // namespace

class Poller::Impl {
 public:
  ps::Epoll epoll;
  std::vector<ps::Event> raw;
  std::vector<Event> events;
};

Poller::Poller() : impl_(std::make_unique<Impl>()) {}
Poller::~Poller() = default;

void Poller::add(int fd) { impl_->epoll.addFd(fd, kInput, tag_of(fd), ps::Mode::Edge); }

void Poller::add_writable(int fd) {
  impl_->epoll.rearmFd(fd, kInputAndRoom, tag_of(fd), ps::Mode::Edge);
}

void Poller::remove(int fd) { impl_->epoll.removeFd(fd); }

std::span<const Poller::Event> Poller::poll() {
  impl_->raw.clear();
  impl_->events.clear();
  impl_->epoll.poll(impl_->raw, std::chrono::milliseconds(0));
  for (const ps::Event& event : impl_->raw) {
    const auto& flags = event.flags;
    const bool hung_up = flags.hasFlag(NotifyOn::Hangup);
    impl_->events.push_back({.fd = static_cast<int>(event.tag.value()),
                             .readable = flags.hasFlag(NotifyOn::Read) || hung_up,
                             .writable = flags.hasFlag(NotifyOn::Write),
                             .ended = flags.hasFlag(NotifyOn::Shutdown) || hung_up});
  }
  return impl_->events;
}

int Poller::descriptor() const { return descriptor_of(impl_->epoll); }

}  // namespace rp::rest
