#pragma once

#include <CLI/App.hpp>

namespace rp::tools {

/// Adds `identity` with its subcommands to the program. They run while `app` parses, print their
/// result on stdout and errors as one line on stderr, and set `exit_code` (certs::exit_code(), 0
/// when done). `exit_code` outlives the parsing.
void add_identity_command(CLI::App& app, int& exit_code);

}  // namespace rp::tools
