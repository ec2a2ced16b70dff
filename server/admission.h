#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

namespace rp::server {

/// Bounds the connections whose peer is not yet known. When there are too many, the oldest one is
/// closed: a flood of silent connections then costs the flood, and an honest client, which needs
/// milliseconds, still gets in.
///
/// When thousands of honest clients come at once, the oldest one is the one that would be done
/// next, and closing it makes it come again. should_wait() keeps the table from filling then.
///
/// All members are safe from any thread.
class Admission {
 public:
  using Clock = std::chrono::steady_clock;

  struct Limits {
    std::size_t total_max = 512;
    std::size_t per_source_max = 64;
  };

  explicit Admission(Limits limits) : limits_(limits) {}

  using Ticket = std::uint64_t;

  /// A connection from `source` begins its handshake; `close` ends it, from any thread. May close
  /// older ones first, those of the same source before others.
  Ticket enter(const std::string& source, Clock::time_point now, std::function<void()> close);
  /// It is authenticated.
  void let_in(Ticket ticket, Clock::time_point now);
  /// It is gone. Ignored after let_in().
  void leave(Ticket ticket);

  /// Whether further connections had better wait in the kernel's queue for a moment: a quarter of
  /// the bound are under way, or three quarters of that of one source, and clients get through, or
  /// may still do so. Where nobody does, those under way are no honest clients, and nobody is to
  /// wait for them.
  bool should_wait(Clock::time_point now) const;

  std::size_t size() const;
  /// Connections closed to make room.
  std::uint64_t evicted() const;

 private:
  struct Entry {
    Ticket ticket;
    std::string source;
    std::function<void()> close;
  };
  using Entries = std::list<Entry>;  // oldest first

  // Somebody gets through within this time, or nobody will: above the two ways to a peer on another
  // continent and back that a handshake takes, below what a waiting client would notice.
  static constexpr std::chrono::milliseconds kProgress{500};

  Entries::iterator erase(Entries::iterator at);
  std::size_t crowd_of_source() const;
  bool is_crowded() const;

  const Limits limits_;
  mutable std::mutex mutex_;  // guards the rest
  Entries entries_;
  std::unordered_map<Ticket, Entries::iterator> by_ticket_;
  std::unordered_map<std::string, std::size_t> per_source_;
  std::size_t crowded_sources_ = 0;  // those with crowd_of_source() connections or more
  Clock::time_point progress_at_ = Clock::time_point::min();  // the last one was let in, or the
                                                              // crowd began
  Ticket last_ticket_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace rp::server
