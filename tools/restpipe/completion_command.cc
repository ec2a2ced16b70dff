#include <algorithm>
#include <iostream>
#include <memory>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "tools/restpipe/commands.h"
#include "tools/restpipe/completion.h"

namespace rp::tools {

void add_completion_command(CLI::App& app, int& exit_code) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for a shell");
  command->add_option("SHELL", *shell, "Shell")
      ->option_text("bash|zsh|fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "Examples:\n"
      "  source <(restpipe completion bash)\n"
      "  restpipe completion zsh > ~/.zfunc/_restpipe\n"
      "  restpipe completion fish > ~/.config/fish/completions/restpipe.fish");
  command->callback([shell, &app, &exit_code] {
    const std::vector<CommandWords> commands = words_of(app);
    std::cout << (*shell == "bash"  ? bash_completion(commands)
                  : *shell == "zsh" ? zsh_completion(commands)
                                    : fish_completion(commands));
    exit_code = 0;
  });
}

}  // namespace rp::tools
