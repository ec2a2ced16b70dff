#include "tools/restpipe/node_command.h"

#include <map>
#include <memory>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "node/config_schema.h"

namespace rp::tools {
namespace {

struct Flags {
  std::string config_file;
  std::map<std::string, std::vector<std::string>> texts;  // by settings key
};

std::string placeholder(const node::Setting& setting, node::Role role) {
  std::string text(value_name(setting));
  const std::string_view fallback = default_text(setting, role);
  if (!fallback.empty() && fallback.size() <= 40) text.append(" [").append(fallback).append("]");
  return text;
}

void add_flag(CLI::App& command, const node::Setting& setting, node::Role role, Flags& flags) {
  auto& texts = flags.texts[std::string(setting.key)];
  std::string help(setting.help);
  if (is_list(setting)) help += " (may be repeated)";
  if (is_switch(setting)) {
    command.add_flag(flag_name(setting), texts, help)
        ->option_text(placeholder(setting, role))
        ->group(std::string(setting.group))
        ->multi_option_policy(CLI::MultiOptionPolicy::Throw);
    return;
  }
  CLI::Option* option = command.add_option(flag_name(setting), texts, help)
                            ->option_text(placeholder(setting, role))
                            ->group(std::string(setting.group))
                            ->expected(1)
                            ->allow_extra_args(false);
  if (is_list(setting)) {
    option->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args(false);
  } else {
    option->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  }
}

node::Sources sources_of(const CLI::App& command, const Flags& flags) {
  node::Sources sources;
  sources.environment = node::process_environment();
  if (!flags.config_file.empty()) sources.file = flags.config_file;
  for (const auto& [key, texts] : flags.texts) {
    const node::Setting& setting = *node::find_setting(key);
    if (command.count(flag_name(setting)) > 0) sources.flags[key] = texts;
  }
  return sources;
}

const char* footer_of(node::Role role) {
  return role == node::Role::server
             ? "Every flag is also a RESTPIPE_* variable (--log-level: RESTPIPE_LOG_LEVEL) and a\n"
               "key of the TOML file; `restpipe config default server` explains them all.\n"
               "SIGTERM drains and ends, a second one ends at once, SIGHUP reloads.\n\n"
               "Exit code: 0 ended as told, 2 usage, 3 settings, 4 address in use, 5 identity,\n"
               "6 certificate not valid now, 7 plugin refused, 1 anything else.\n\n"
               "Examples:\n"
               "  restpipe server --identity ./server\n"
               "  restpipe server --listen 0.0.0.0:1234 --rest unix:/run/restpipe/server.sock \\\n"
               "    --handlers /usr/lib/restpipe/plugins"
             : "Every flag is also a RESTPIPE_* variable (--log-level: RESTPIPE_LOG_LEVEL) and a\n"
               "key of the TOML file; `restpipe config default client` explains them all.\n"
               "SIGTERM drains and ends, a second one ends at once, SIGHUP reloads.\n\n"
               "Exit code: 0 ended as told, 2 usage, 3 settings, 4 address in use, 5 identity,\n"
               "6 certificate not valid now, 7 plugin refused, 1 anything else.\n\n"
               "Examples:\n"
               "  restpipe client --identity ./workshop --server pipe.example.net:1234\n"
               "  restpipe client --server a.example:1234,b.example:1234 --rest 127.0.0.1:0";
}

}  // namespace

void add_node_command(CLI::App& app, node::Role role, RunNode run, int& exit_code) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = app.add_subcommand(
      std::string(name(role)), role == node::Role::server
                                   ? "Run the server node, which clients dial"
                                   : "Run a client node, which dials the server and stays");
  command->add_option("--config", flags->config_file, "TOML file with settings")
      ->option_text("FILE")
      ->group("Node");
  for (const node::Setting& setting : node::all_settings()) {
    if (has(setting, role)) add_flag(*command, setting, role, *flags);
  }
  command->footer(footer_of(role));
  command->callback([=, run = std::move(run), &exit_code] {
    exit_code = run(node::load_config(role, sources_of(*command, *flags)));
  });
}

}  // namespace rp::tools
