#pragma once

#include <CLI/App.hpp>

/// The subcommands of the program. Each adds itself to `app` and runs while `app` parses: it prints
/// its result on stdout and sets `exit_code`, which outlives the parsing. What goes wrong leaves as
/// an exception: CLI::ParseError for usage, node::StartupError with its code, others for code 1.
namespace rp::tools {

void add_call_command(CLI::App& app, int& exit_code);
void add_queue_commands(CLI::App& app, int& exit_code);  ///< queue, pub and sub
void add_nodes_command(CLI::App& app, int& exit_code);
void add_config_command(CLI::App& app, int& exit_code);
void add_policy_command(CLI::App& app, int& exit_code);
void add_version_command(CLI::App& app, int& exit_code);

/// Scripts are made from the tree of `app` at the time of the call, so this one is added last.
void add_completion_command(CLI::App& app, int& exit_code);

}  // namespace rp::tools
