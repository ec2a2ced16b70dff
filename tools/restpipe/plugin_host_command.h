#pragma once

namespace rp::tools {

/// `restpipe plugin-host PLUGIN`: the process that a node starts for a plugin that it isolates. It
/// is not for people, so neither help nor completion knows it.
bool is_plugin_host(int argc, const char* const* argv);

/// Serves the node at the other end of the inherited socket; returns the exit code.
int run_plugin_host(int argc, const char* const* argv);

}  // namespace rp::tools
