#include "tools/restpipe/program.h"

#include <algorithm>
#include <exception>
#include <iostream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "node/escape.h"
#include "node/exit_codes.h"
#include "node/suggest.h"
#include "tools/restpipe/commands.h"
#include "tools/restpipe/identity_command.h"

namespace rp::tools {
namespace {

using node::ExitCode;

/// Help texts with aligned columns that fit a terminal of 100 columns.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(46); }
};

/// The command that the user was writing when the parser gave up, to point at its help.
std::string current_command(const CLI::App& app) {
  std::string path = "restpipe";
  const CLI::App* at = &app;
  for (;;) {
    const auto chosen = at->get_subcommands();
    if (chosen.empty()) return path;
    at = chosen.front();
    path += ' ' + at->get_name();
  }
}

/// Flags and subcommands that could have been meant.
std::string suggestion(const CLI::App& app, const std::string& word) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  std::vector<std::string> candidates;
  for (const CLI::Option* option : at->get_options()) {
    for (const std::string& name : option->get_lnames()) candidates.push_back("--" + name);
  }
  for (const CLI::App* sub : at->get_subcommands([](const CLI::App*) { return true; })) {
    candidates.push_back(sub->get_name());
  }
  return node::nearest(word, candidates);
}

std::string one_line(std::string text) {
  for (char& c : text) c = c == '\n' || c == '\r' ? ' ' : c;
  return text;
}

/// What was wrong with the command line, in our own words where the parser's are unclear.
std::string usage_line(const CLI::App& app, const CLI::ParseError& error) {
  const bool lacks_or_exceeds = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                                dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (const auto unknown = app.remaining(true); lacks_or_exceeds && !unknown.empty()) {
    const std::string word = unknown.front().substr(0, unknown.front().find('='));
    const std::string meant = suggestion(app, word);
    return "unknown argument " + node::logfmt_value(word) +
           (meant.empty() ? "" : "; did you mean " + meant + "?");
  }
  const std::string text = one_line(error.what());
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return text.substr(0, text.find(':')) + ": takes exactly one value, once";
  }
  return text;
}

int report_usage(const CLI::App& app, const CLI::ParseError& error) {
  std::cerr << "restpipe: " << usage_line(app, error) << " (see " << current_command(app)
            << " --help)\n";
  return static_cast<int>(ExitCode::usage);
}

/// The arguments after the program's name, last first as CLI11 takes them. It would read the next
/// argument as the value of "--flag=", so that is split in two.
std::vector<std::string> arguments(int argc, const char* const* argv) {
  std::vector<std::string> result;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    const bool empty_value = argument.starts_with("--") && argument.ends_with('=');
    if (empty_value) argument.pop_back();
    result.push_back(std::move(argument));
    if (empty_value) result.emplace_back();
  }
  std::reverse(result.begin(), result.end());
  return result;
}

}  // namespace

int run_program(int argc, const char* const* argv, const Nodes& nodes) {
  CLI::App app(
      "Joins machines that cannot reach each other: HTTP requests cross a pipe that the\n"
      "client dialled.",
      "restpipe");
  app.formatter(std::make_shared<HelpFormatter>());
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  restpipe server --identity ./server\n"
      "  restpipe client --identity ./workshop --server pipe.example.net:1234\n"
      "  restpipe call /server/time\n"
      "`restpipe COMMAND --help` tells more about a command.");
  int exit_code = static_cast<int>(ExitCode::failure);
  add_node_command(app, node::Role::server, nodes.server, exit_code);
  add_node_command(app, node::Role::client, nodes.client, exit_code);
  add_identity_command(app, exit_code);
  add_call_command(app, exit_code);
  add_nodes_command(app, exit_code);
  add_queue_commands(app, exit_code);
  add_config_command(app, exit_code);
  add_policy_command(app, exit_code);
  add_version_command(app, exit_code);
  add_completion_command(app, exit_code);
  try {
    app.parse(arguments(argc, argv));
    return exit_code;
  } catch (const CLI::Success& help) {  // --help and --version
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error);
  } catch (const node::StartupError& error) {
    std::cerr << "restpipe: " << one_line(error.what()) << '\n';
    return static_cast<int>(error.code());
  } catch (const std::system_error& error) {
    const bool no_thread = error.code() == std::errc::resource_unavailable_try_again;
    std::cerr << "restpipe: " << one_line(error.what())
              << (no_thread ? ": no further thread; ulimit -u and systemd's TasksMax bound them"
                            : "")
              << '\n';
    return static_cast<int>(ExitCode::failure);
  } catch (const std::exception& error) {
    std::cerr << "restpipe: " << one_line(error.what()) << '\n';
    return static_cast<int>(ExitCode::failure);
  }
}

}  // namespace rp::tools
