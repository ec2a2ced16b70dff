#include "tools/bench/two_sided_main.h"

#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

namespace rp::bench {

void announce(std::uint16_t port) {
  std::printf("port=%u\n", static_cast<unsigned>(port));
  std::fflush(stdout);
}

int two_sided_main(int argc, char** argv, const TwoSidedProgram& program) {
  CLI::App app("One side of a comparison of " + program.what + " over mutual TLS");
  app.require_subcommand(1);
  std::filesystem::path identity;
  std::uint16_t port = 0;
  int measured_ms = 2000;

  CLI::App* serve = app.add_subcommand("serve", program.serve_help + " until killed");
  CLI::App* load = app.add_subcommand("load", program.load_help + " and print figures");
  for (CLI::App* side : {serve, load}) {
    side->add_option("--identity", identity, "identity directory")->required();
  }
  serve->add_option("--port", port, "where to listen; 0, the default, takes a free one");
  load->add_option("--port", port, "where serve listens")->required();
  program.add_options(*load);
  load->add_option("--ms", measured_ms, "milliseconds to measure")->check(CLI::Range(100, 60000));
  CLI11_PARSE(app, argc, argv);

  try {
    if (serve->parsed()) {
      program.serve(identity, port);
      return 0;
    }
    const auto figures = program.load(identity, port, std::chrono::milliseconds(measured_ms));
    std::printf("%s\n", figures.c_str());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
  return 0;
}

}  // namespace rp::bench
