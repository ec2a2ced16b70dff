#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "tools/bench/meter.h"
#include "tools/bench/two_sided_main.h"

/// The command line that the bulk programs share, see two_sided_main.h: load takes
/// --direction down|up, and prints "mib_per_s=N".
namespace rp::bench {

/// Which way the bytes go: down to the side that dials, as a reply's body does, or up to the other.
enum class Direction : std::uint8_t { down, up };

/// What is written at once: large enough that nothing but the ciphers, the copies and the socket
/// counts, small enough to stay in a core's cache.
constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;

/// Counts the bytes that have passed while it measures. Used from one thread at a time.
class BulkMeter {
 public:
  explicit BulkMeter(std::chrono::milliseconds measured) : measured_(measured) {}

  void start();
  /// So many more have passed. False: time is up.
  bool passed(std::size_t bytes);

  /// "mib_per_s=..."
  std::string figures() const;

 private:
  // Windows and buffers have grown by then.
  static constexpr std::chrono::milliseconds kWarmUp{300};

  const std::chrono::milliseconds measured_;
  Clock::time_point measured_from_;
  std::uint64_t bytes_ = 0;
  Clock::duration counted_{0};  // from measured_from_ to the last bytes
};

struct BulkProgram {
  ServeSide serve;
  std::function<void(const std::filesystem::path& identity, std::uint16_t port, Direction direction,
                     BulkMeter& meter)>
      load;
};

/// Returns what two_sided_main() does.
int bulk_main(int argc, char** argv, const BulkProgram& program);

}  // namespace rp::bench
