#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "node/endpoint.h"

namespace rp::node {

/// Sends counters and timings to a statsd daemon over UDP, one datagram each, as the reference
/// does.
///
/// Nothing here ever blocks a caller or fails: a datagram that the kernel does not take at once is
/// dropped, and while nobody listens at a local address the sends pause. All members are safe from
/// any thread.
class Statsd {
 public:
  /// How long the constructor waits for the daemon's name to resolve. A slower lookup goes on in
  /// the background and sending begins when it is done.
  static constexpr std::chrono::seconds kResolveWait{2};

  /// Absent: everything here does nothing. A name that does not resolve is logged once.
  explicit Statsd(const std::optional<HostPort>& daemon);
  ~Statsd();
  Statsd(const Statsd&) = delete;
  Statsd& operator=(const Statsd&) = delete;

  /// Whether datagrams have somewhere to go.
  bool enabled() const noexcept;

  // Names are at most 128 bytes of [A-Za-z0-9_.-]; what is longer is not sent.
  void tick(std::string_view name) noexcept;  ///< `name:1|c`
  void timing(std::string_view name,
              std::chrono::nanoseconds duration) noexcept;  ///< `name:<ms>|ms`, rounded down

  /// The first bytes of `text` with each one outside [A-Za-z0-9_.-] replaced by '_': for the
  /// variable part of a name.
  static std::string sanitised(std::string_view text, std::size_t bytes_max);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with a lookup that may outlive this object; null: off
};

}  // namespace rp::node
