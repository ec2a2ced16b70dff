#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/product/harness/process.h"

namespace rp::product {

/// The command of a program of tools/bench: bench_command("pipe", {"serve", ...}).
inline Command bench_command(std::string_view name, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), std::string(RP_BENCH_DIR "/bench_").append(name));
  return {.argv = std::move(arguments)};
}

/// The number behind `name=` in a line of figures; -1 when it is not there.
inline double figure(std::string_view line, const std::string& name) {
  const std::string padded = " " + std::string(line);
  const auto at = padded.find(" " + name + "=");
  return at == std::string::npos ? -1 : std::stod(padded.substr(at + name.size() + 2));
}

}  // namespace rp::product
