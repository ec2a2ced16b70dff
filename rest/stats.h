#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace rp::rest {

/// What /metrics shows of the front-end. Counters only grow; gauges are said to be gauges. Read
/// from any thread with relaxed loads.
struct Stats {
  std::atomic<std::uint64_t> connections_accepted{0};
  std::atomic<std::uint64_t> connections_refused{0};  ///< over the cap
  std::atomic<std::uint64_t> connections_open{0};     ///< gauge
  std::atomic<std::uint64_t> accept_errors{0};        ///< EMFILE and the like
  std::atomic<std::uint64_t> requests{0};             ///< complete and passed to the handler
  std::atomic<std::uint64_t> requests_in_flight{0};   ///< gauge: passed on, not yet answered
  std::atomic<std::uint64_t> requests_malformed{0};   ///< refused by the gate
  std::atomic<std::uint64_t> requests_refused{0};     ///< refused by Host, Origin or token rules
  std::atomic<std::uint64_t> requests_timed_out{0};   ///< head or body too slow
  std::atomic<std::uint64_t> clients_left{0};         ///< disconnected before their answer
  std::atomic<std::uint64_t> readers_cut{0};          ///< took no bytes for too long
  std::atomic<std::uint64_t> body_bytes_buffered{0};  ///< gauge: request bodies in memory
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> bytes_sent{0};
  std::array<std::atomic<std::uint64_t>, 6> responses{};  ///< by class: [2] counts 2xx, ...
};

}  // namespace rp::rest
