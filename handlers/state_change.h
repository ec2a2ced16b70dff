#pragma once

#include <cstdint>
#include <string>

namespace rp::handlers {

/// The other end of a pipe, as plugins hear of it.
struct PipePeer {
  std::string name;
  std::string address;
  std::uint16_t port = 0;
};

/// One thing that happened to the node's pipes; plugin.h says what each kind means. Fields that a
/// kind does not mention are unused.
struct StateChange {
  enum class Kind : std::uint8_t {
    start_hook,          ///< peer
    stop_hook,           ///< peer
    idle,                ///< since_s, seconds
    connection_added,    ///< peer, count
    connection_removed,  ///< peer, count
    connect_success,     ///< count, since_s
    connect_fail,        ///< count, since_s
  };

  Kind kind = Kind::idle;
  PipePeer peer{};
  std::uint64_t count = 0;  ///< connected clients; or failures before
  double since_s = 0;       ///< Unix time; 0 for none
  double seconds = 0;       ///< waited so far
};

}  // namespace rp::handlers
