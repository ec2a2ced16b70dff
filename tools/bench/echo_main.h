#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "tools/bench/meter.h"

/// The command line that the echo programs share:
///
///   PROGRAM serve --identity DIR [--port N]  prints "port=N", then answers until it is killed
///   PROGRAM load --identity DIR --port N --in-flight N --ms N     prints one line of figures
///
/// Both sides know each other by certificates: DIR is what `restpipe identity` makes.
namespace rp::bench {

/// Bytes of a request's body, which the answer repeats.
constexpr std::size_t kBodyBytes = 100;

struct EchoProgram {
  /// Does not return. `port` is where to listen, 0 for any free one; where a broker stands between
  /// both sides, it is the broker's.
  std::function<void(const std::filesystem::path& identity, std::uint16_t port)> serve;
  std::function<void(const std::filesystem::path& identity, std::uint16_t port, ClosedLoop& loop)>
      load;
};

/// For serve: tells the one who waits for it where it listens.
void announce(std::uint16_t port);

/// Exit code of the program: 0, 1 after an error that it has printed, 2 for a wrong command line.
int echo_main(int argc, char** argv, const EchoProgram& program);

}  // namespace rp::bench
