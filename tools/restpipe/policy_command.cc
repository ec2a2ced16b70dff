#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "node/escape.h"
#include "node/exit_codes.h"
#include "node/policy.h"
#include "tools/restpipe/commands.h"

namespace rp::tools {
namespace {

constexpr int kDenied = 1;

struct Options {
  std::string file;
  std::string from;
  std::string to;
  std::string verb;
  std::string noun;
};

/// The policy of the file, or the built-in one; prints every problem of a file that has any.
std::unique_ptr<const node::Policy> load(const std::string& file) {
  try {
    return std::make_unique<const node::Policy>(file.empty() ? node::Policy::built_in()
                                                             : node::Policy::load(file));
  } catch (const node::ConfigError& error) {
    for (const std::string& line : error.lines()) std::cerr << "restpipe: " << line << '\n';
    return nullptr;
  }
}

/// HTTP methods are what most people type.
std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text == "head" ? "get" : text;
}

int explain(const Options& options) {
  const auto policy = load(options.file);
  if (!policy) return static_cast<int>(node::ExitCode::configuration);
  const std::string verb = lower_case(options.verb);
  const node::PolicyQuestion question{
      .from = options.from,
      .to = options.to == node::kServerTarget ? std::string_view() : options.to,
      .verb = verb,
      .noun = options.noun};
  const auto decision = policy->decide(question);
  std::cout << (decision.allowed ? "allowed: " : "denied: ") << node::logfmt_value(options.from)
            << " -> " << node::logfmt_value(options.to) << ": " << verb << ' '
            << node::logfmt_value(options.noun) << "\nby: " << policy->place(decision) << '\n';
  if (decision.rule && !decision.rule->comment.empty()) {
    std::cout << "comment: " << node::logfmt_value(decision.rule->comment) << '\n';
  }
  return decision.allowed ? 0 : kDenied;
}

int check(const Options& options) {
  const auto policy = load(options.file);
  if (!policy) return static_cast<int>(node::ExitCode::configuration);
  std::cout << "ok: " << policy->size() << (policy->size() == 1 ? " rule\n" : " rules\n");
  return 0;
}

CLI::Validator verb_check() {
  return CLI::Validator(
      [](std::string& text) {
        const bool known = std::find(node::kVerbs.begin(), node::kVerbs.end(), lower_case(text)) !=
                           node::kVerbs.end();
        return known ? std::string()
                     : text + " is no verb; accepted: get, post, put, delete, patch";
      },
      "");
}

void add_explain(CLI::App& policy, const std::shared_ptr<Options>& options, int& exit_code) {
  CLI::App* command = policy.add_subcommand(
      "explain", "Say whether a call is allowed and which line of the file decides");
  command->add_option("--policy", options->file, "Policy file; without one the built-in policy")
      ->option_text("FILE");
  command->add_option("--from", options->from, "Identity of the caller")
      ->option_text("NAME")
      ->required();
  command->add_option("--to", options->to, "Client whose handler is called, or the server's own")
      ->option_text("NAME|server [server]")
      ->default_val(std::string(node::kServerTarget));
  command->add_option("VERB", options->verb, "As in the request: GET or get")
      ->option_text("VERB")
      ->required()
      ->check(verb_check());
  command->add_option("NOUN", options->noun, "What follows /server/ or /client/NAME/ in the URL")
      ->option_text("NOUN")
      ->required();
  command->footer(
      "Exit code: 0 allowed, 1 denied, 2 when the question is wrong, 3 when the file is.\n\n"
      "Examples:\n"
      "  restpipe policy explain --policy policy.toml --from lab-7 --to printer POST print/job\n"
      "  restpipe policy explain --policy policy.toml --from lab-7 --to server GET time");
  command->callback([options, &exit_code] { exit_code = explain(*options); });
}

}  // namespace

void add_policy_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* policy = app.add_subcommand("policy", "Check a policy file, explain what it decides");
  policy->require_subcommand(1);
  add_explain(*policy, options, exit_code);
  CLI::App* command =
      policy->add_subcommand("check", "Say what is wrong with the file; exit code 3 if anything");
  command->add_option("FILE", options->file, "Policy file")->option_text("FILE")->required();
  command->callback([options, &exit_code] { exit_code = check(*options); });
}

}  // namespace rp::tools
