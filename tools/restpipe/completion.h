#pragma once

#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace rp::tools {

/// A word that may follow, and the line that explains it.
struct Word {
  std::string text;
  std::string help;
  std::vector<std::string> values;  ///< of an option that takes one of a few words
};

/// What may follow one command of the program.
struct CommandWords {
  std::string path;  ///< "", "identity", "identity ca"
  std::vector<Word> subcommands;
  std::vector<Word> options;
  std::vector<std::string> values;  ///< of a positional argument that takes one of a few words
};

/// Every command of the tree, the program itself first.
std::vector<CommandWords> words_of(const CLI::App& app);

/// Scripts that complete `restpipe`; where nothing fits they offer file names.
std::string bash_completion(const std::vector<CommandWords>& commands);
std::string zsh_completion(const std::vector<CommandWords>& commands);
std::string fish_completion(const std::vector<CommandWords>& commands);

}  // namespace rp::tools
