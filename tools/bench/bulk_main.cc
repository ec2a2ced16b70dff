#include "tools/bench/bulk_main.h"

#include <cstdio>
#include <map>

#include <CLI/CLI.hpp>

namespace rp::bench {

void BulkMeter::start() { measured_from_ = Clock::now() + kWarmUp; }

bool BulkMeter::passed(std::size_t bytes) {
  const auto now = Clock::now();
  if (now < measured_from_) return true;
  bytes_ += bytes;
  counted_ = now - measured_from_;
  return counted_ < measured_;
}

std::string BulkMeter::figures() const {
  const double seconds = std::chrono::duration<double>(counted_).count();
  const double mib = static_cast<double>(bytes_) / (1 << 20);
  char line[64];
  std::snprintf(line, sizeof line, "mib_per_s=%.1f", seconds > 0 ? mib / seconds : 0.0);
  return line;
}

int bulk_main(int argc, char** argv, const BulkProgram& program) {
  Direction direction = Direction::down;
  const std::map<std::string, Direction> directions{{"down", Direction::down},
                                                    {"up", Direction::up}};
  const auto add_options = [&](CLI::App& load) {
    load.add_option("--direction", direction, "to this side, or from it")
        ->transform(CLI::CheckedTransformer(directions));
  };
  const auto load = [&](const std::filesystem::path& identity, std::uint16_t port,
                        std::chrono::milliseconds measured) {
    BulkMeter meter{measured};
    program.load(identity, port, direction, meter);
    return meter.figures();
  };
  return two_sided_main(argc, argv,
                        {.what = "bulk transfers",
                         .serve_help = "send and take bytes",
                         .load_help = "pass bytes",
                         .add_options = add_options,
                         .serve = program.serve,
                         .load = load});
}

}  // namespace rp::bench
