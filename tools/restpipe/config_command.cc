#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "node/config.h"
#include "node/config_text.h"
#include "node/policy.h"
#include "tools/restpipe/commands.h"

namespace rp::tools {
namespace {

using node::Role;

struct Options {
  std::string file;
  std::string role;
  bool effective = false;
};

std::optional<Role> role_of(const std::string& text) {
  if (text == "server") return Role::server;
  if (text == "client") return Role::client;
  return std::nullopt;
}

node::Sources sources_of(const Options& options) {
  node::Sources sources;
  sources.environment = node::process_environment();
  if (!options.file.empty()) sources.file = options.file;
  return sources;
}

/// The outcome of loading the settings as one of the two roles.
struct Attempt {
  Role role;
  std::optional<node::Config> config;
  std::vector<std::string> problems;
};

Attempt attempt(Role role, const node::Sources& sources) {
  try {
    auto config = node::load_config(role, sources);
    if (!config.policy.empty()) node::Policy::load(config.policy);
    return {role, std::move(config), {}};
  } catch (const node::ConfigError& error) {
    return {role, std::nullopt, error.lines()};
  }
}

/// With no role asked for, the one that the settings fit: a good server's before a good client's,
/// else the one with fewer problems.
Attempt attempt_any(const Options& options) {
  const node::Sources sources = sources_of(options);
  if (const auto role = role_of(options.role)) return attempt(*role, sources);
  Attempt server = attempt(Role::server, sources);
  if (server.config) return server;
  Attempt client = attempt(Role::client, sources);
  return client.problems.size() < server.problems.size() ? client : server;
}

int report(const Attempt& attempt) {
  for (const std::string& line : attempt.problems) std::cerr << "restpipe: " << line << '\n';
  if (!attempt.config) return static_cast<int>(node::ExitCode::configuration);
  for (const std::string& line : attempt.config->warnings) {
    std::cerr << "restpipe: warning: " << line << '\n';
  }
  return 0;
}

int check(const Options& options) {
  const Attempt result = attempt_any(options);
  const int code = report(result);
  if (code == 0) std::cout << "ok: settings of a " << name(result.role) << " node\n";
  return code;
}

int show(const Options& options) {
  const Attempt result = attempt_any(options);
  const int code = report(result);
  if (code == 0) std::cout << effective_text(*result.config);
  return code;
}

void add_role(CLI::App& command, Options& options) {
  command.add_option("ROLE", options.role, "Kind of node")
      ->option_text("server|client")
      ->check(CLI::IsMember({"server", "client"}));
}

void add_file(CLI::App& command, Options& options) {
  command.add_option("--config", options.file, "TOML file")->option_text("FILE");
}

}  // namespace

void add_config_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* config = app.add_subcommand("config", "Check, show and write settings");
  config->require_subcommand(1);
  config->footer(
      "Settings come from flags, RESTPIPE_* variables, the RP_* variables of RestPipe 0.2, a TOML\n"
      "file and defaults, the first that has one wins. Without ROLE the settings decide.\n\n"
      "Examples:\n"
      "  restpipe config default server > restpipe.toml\n"
      "  restpipe config check --config restpipe.toml\n"
      "  restpipe config show --effective --config restpipe.toml server");

  CLI::App* check_command = config->add_subcommand(
      "check", "Say what is wrong with the settings and the policy file; exit code 3 if any");
  add_file(*check_command, *options);
  add_role(*check_command, *options);
  check_command->callback([options, &exit_code] { exit_code = check(*options); });

  CLI::App* show_command =
      config->add_subcommand("show", "Print every setting, its value and where it comes from");
  add_file(*show_command, *options);
  add_role(*show_command, *options);
  show_command->add_flag("--effective", options->effective, "The same; what is shown is in effect");
  show_command->callback([options, &exit_code] { exit_code = show(*options); });

  CLI::App* default_command =
      config->add_subcommand("default", "Print a TOML file that explains every setting");
  add_role(*default_command, *options);
  default_command->callback([options, &exit_code] {
    std::cout << node::default_file(role_of(options->role).value_or(Role::server));
    exit_code = 0;
  });
}

}  // namespace rp::tools
