#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace CLI {
class App;
}

/// The command line of a program that is both sides of what it measures, each a process of its own:
///
///   PROGRAM serve --identity DIR [--port N]  prints "port=N", then serves until it is killed
///   PROGRAM load --identity DIR --port N --ms N ...     prints one line of figures
///
/// Both sides know each other by certificates: DIR is what `restpipe identity` makes.
namespace rp::bench {

/// Does not return. `port` is where to listen, 0 for any free one; where a broker stands between
/// both sides, it is the broker's.
using ServeSide = std::function<void(const std::filesystem::path& identity, std::uint16_t port)>;

struct TwoSidedProgram {
  std::string what;        ///< is compared; this and what follows is for --help
  std::string serve_help;  ///< what serve does until it is killed
  std::string load_help;   ///< what load does before it prints figures
  std::function<void(CLI::App& load)> add_options;  ///< further ones of load
  ServeSide serve;
  /// Returns the figures.
  std::function<std::string(const std::filesystem::path& identity, std::uint16_t port,
                            std::chrono::milliseconds measured)>
      load;
};

/// For serve: tells the one who waits for it where it listens.
void announce(std::uint16_t port);

/// Exit code of the program: 0, 1 after an error that it has printed, over 99 for a wrong command
/// line.
int two_sided_main(int argc, char** argv, const TwoSidedProgram& program);

}  // namespace rp::bench
