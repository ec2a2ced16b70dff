#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rp::rest {

/// Every bound and wait of the front-end, in one place. Durations run on the steady clock.
struct Limits {
  // Framing.
  std::size_t head_bytes_max = 16 * 1024;   ///< request line and headers together -> 431
  std::size_t target_bytes_max = 8 * 1024;  ///< request target; the RFC 9112 minimum is 8000 -> 414
  std::size_t header_count_max = 100;       ///< header lines -> 431
  std::size_t body_bytes_max = 64 * 1024 * 1024;  ///< decoded body -> 413, before it is read
  std::uint64_t streamed_body_bytes_max = 0;      ///< body of a route that takes it as it comes
                                                  ///< -> 413; 0 for no limit
  std::size_t trailer_bytes_max = 8 * 1024;       ///< chunk extensions and trailers together -> 431

  // Memory.
  std::size_t bodies_bytes_max = 512 * 1024 * 1024;  ///< request bodies of all connections -> 503
  std::size_t pipelined_bytes_max = 64 * 1024;     ///< unread input of one connection; then reading
                                                   ///< stops until the answer in progress is done
  std::size_t stream_bytes_max = 4 * 1024 * 1024;  ///< unsent pieces of one streamed reply; a
                                                   ///< producer that goes beyond is cut off
  std::size_t connections_max = 4096;              ///< further ones get 503 and are closed
  std::size_t descriptors_reserve = 128;           ///< descriptors left to the rest of the process

  // Time.
  std::chrono::milliseconds head_timeout{10'000};   ///< first byte to end of headers -> 408
  std::chrono::milliseconds idle_timeout{60'000};   ///< between requests; then closed in silence
  std::chrono::milliseconds body_grace{10'000};     ///< a body may be slow for this long ...
  std::size_t body_bytes_per_second_min = 1024;     ///< ... then it keeps this average -> 408
  std::chrono::milliseconds body_pause{60'000};     ///< longest pause within a body that is passed
                                                    ///< on as it comes -> 408
  std::chrono::milliseconds write_timeout{30'000};  ///< a reader that takes nothing is cut off
  std::chrono::milliseconds half_close_grace{50};   ///< see Exchange: how long after the request a
                                                    ///< FIN may be a half-close, and how long an
                                                    ///< answer may still take after it
};

}  // namespace rp::rest
