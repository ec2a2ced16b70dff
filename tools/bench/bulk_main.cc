#include "tools/bench/bulk_main.h"

#include <cstdio>
#include <exception>
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
  CLI::App app("One side of a comparison of bulk transfers over mutual TLS");
  app.require_subcommand(1);
  std::filesystem::path identity;
  std::uint16_t port = 0;
  Direction direction = Direction::down;
  int measured_ms = 2000;
  const std::map<std::string, Direction> directions{{"down", Direction::down},
                                                    {"up", Direction::up}};

  CLI::App* serve = app.add_subcommand("serve", "send and take bytes until killed");
  CLI::App* load = app.add_subcommand("load", "pass bytes and print figures");
  for (CLI::App* side : {serve, load}) {
    side->add_option("--identity", identity, "identity directory")->required();
  }
  serve->add_option("--port", port, "where to listen; 0, the default, takes a free one");
  load->add_option("--port", port, "where serve listens")->required();
  load->add_option("--direction", direction, "to this side, or from it")
      ->transform(CLI::CheckedTransformer(directions));
  load->add_option("--ms", measured_ms, "milliseconds to measure")->check(CLI::Range(100, 60000));
  CLI11_PARSE(app, argc, argv);

  try {
    if (serve->parsed()) {
      program.serve(identity, port);
      return 0;
    }
    BulkMeter meter{std::chrono::milliseconds(measured_ms)};
    program.load(identity, port, direction, meter);
    std::printf("%s\n", meter.figures().c_str());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
  return 0;
}

}  // namespace rp::bench
