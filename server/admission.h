#pragma once

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
/// All members are safe from any thread.
class Admission {
 public:
  struct Limits {
    std::size_t total_max = 512;
    std::size_t per_source_max = 64;
  };

  explicit Admission(Limits limits) : limits_(limits) {}

  using Ticket = std::uint64_t;

  /// A connection from `source` begins its handshake; `close` ends it, from any thread. May close
  /// older ones first, those of the same source before others.
  Ticket enter(const std::string& source, std::function<void()> close);
  /// It is authenticated or gone.
  void leave(Ticket ticket);

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

  Entries::iterator erase(Entries::iterator at);

  const Limits limits_;
  mutable std::mutex mutex_;  // guards the rest
  Entries entries_;
  std::unordered_map<Ticket, Entries::iterator> by_ticket_;
  std::unordered_map<std::string, std::size_t> per_source_;
  Ticket last_ticket_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace rp::server
