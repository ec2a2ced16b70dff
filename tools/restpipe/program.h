#pragma once

#include "tools/restpipe/node_command.h"

namespace rp::tools {

/// What main() binds: how the two kinds of node are run.
struct Nodes {
  RunNode server;
  RunNode client;
};

/// The whole program: parses, runs the command, prints errors as one line on stderr and returns the
/// exit code.
int run_program(int argc, const char* const* argv, const Nodes& nodes);

}  // namespace rp::tools
