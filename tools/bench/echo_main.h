#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "tools/bench/meter.h"
#include "tools/bench/two_sided_main.h"

/// The command line that the echo programs share, see two_sided_main.h: load takes --in-flight N,
/// the calls at once.
namespace rp::bench {

/// Bytes of a request's body, which the answer repeats.
constexpr std::size_t kBodyBytes = 100;

struct EchoProgram {
  ServeSide serve;
  std::function<void(const std::filesystem::path& identity, std::uint16_t port, ClosedLoop& loop)>
      load;
};

/// Returns what two_sided_main() does.
int echo_main(int argc, char** argv, const EchoProgram& program);

}  // namespace rp::bench
