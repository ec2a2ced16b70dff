#pragma once

#include <functional>

#include <CLI/App.hpp>

#include "node/config.h"

namespace rp::tools {

/// Runs a node until it is told to stop and returns the program's exit code.
using RunNode = std::function<int(const node::Config&)>;

/// Adds `server` or `client` with one flag for each setting of the role. Once parsed, the settings
/// are loaded and given to `run`. Throws node::ConfigError out of the parsing when they are wrong.
void add_node_command(CLI::App& app, node::Role role, RunNode run, int& exit_code);

}  // namespace rp::tools
