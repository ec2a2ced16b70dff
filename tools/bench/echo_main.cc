#include "tools/bench/echo_main.h"

#include <CLI/CLI.hpp>

namespace rp::bench {

int echo_main(int argc, char** argv, const EchoProgram& program) {
  std::size_t in_flight = 1;
  const auto add_options = [&](CLI::App& load) {
    load.add_option("--in-flight", in_flight, "calls at once")->check(CLI::Range(1, 4096));
  };
  const auto load = [&](const std::filesystem::path& identity, std::uint16_t port,
                        std::chrono::milliseconds measured) {
    ClosedLoop loop({.in_flight = in_flight, .measured = measured});
    program.load(identity, port, loop);
    return loop.figures();
  };
  return two_sided_main(argc, argv,
                        {.what = "calls",
                         .serve_help = "answer calls",
                         .load_help = "make calls",
                         .add_options = add_options,
                         .serve = program.serve,
                         .load = load});
}

}  // namespace rp::bench
