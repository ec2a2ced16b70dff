#include "tools/bench/echo_main.h"

#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

namespace rp::bench {

void announce(std::uint16_t port) {
  std::printf("port=%u\n", static_cast<unsigned>(port));
  std::fflush(stdout);
}

int echo_main(int argc, char** argv, const EchoProgram& program) {
  CLI::App app("One side of a comparison of calls over mutual TLS");
  app.require_subcommand(1);
  std::filesystem::path identity;
  std::uint16_t port = 0;
  std::size_t in_flight = 1;
  int measured_ms = 2000;

  CLI::App* serve = app.add_subcommand("serve", "answer calls until killed");
  CLI::App* load = app.add_subcommand("load", "make calls and print figures");
  for (CLI::App* side : {serve, load}) {
    side->add_option("--identity", identity, "identity directory")->required();
  }
  serve->add_option("--port", port, "where to listen; 0, the default, takes a free one");
  load->add_option("--port", port, "where serve listens")->required();
  load->add_option("--in-flight", in_flight, "calls at once")->check(CLI::Range(1, 4096));
  load->add_option("--ms", measured_ms, "milliseconds to measure")->check(CLI::Range(100, 60000));
  CLI11_PARSE(app, argc, argv);

  try {
    if (serve->parsed()) {
      program.serve(identity, port);
      return 0;
    }
    ClosedLoop loop({.in_flight = in_flight, .measured = std::chrono::milliseconds(measured_ms)});
    program.load(identity, port, loop);
    std::printf("%s\n", loop.figures().c_str());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
  return 0;
}

}  // namespace rp::bench
