#include "tools/restpipe/completion.h"

#include <algorithm>

namespace rp::tools {
namespace {

/// "text|json [text]" holds words to choose from; "HOST:PORT|unix:PATH" does not.
std::vector<std::string> choices_of(std::string text) {
  text = text.substr(0, text.find(' '));
  std::vector<std::string> choices;
  std::size_t start = 0;
  for (;;) {
    const auto bar = text.find('|', start);
    choices.push_back(text.substr(start, bar - start));
    const bool word =
        !choices.back().empty() && std::all_of(choices.back().begin(), choices.back().end(),
                                               [](char c) { return c >= 'a' && c <= 'z'; });
    if (!word) return {};
    if (bar == text.npos) break;
    start = bar + 1;
  }
  return choices.size() > 1 ? choices : std::vector<std::string>{};
}

void collect(const CLI::App& app, const std::string& path, std::vector<CommandWords>& out) {
  CommandWords words;
  words.path = path;
  for (const CLI::Option* option : app.get_options()) {
    const std::vector<std::string> choices = choices_of(option->get_option_text());
    if (!option->nonpositional()) {
      words.values = choices;
      continue;
    }
    for (const std::string& name : option->get_lnames()) {
      words.options.push_back({"--" + name, option->get_description(), choices});
    }
    for (const std::string& name : option->get_snames()) {
      words.options.push_back({"-" + name, option->get_description(), choices});
    }
  }
  const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : subcommands) {
    words.subcommands.push_back({sub->get_name(), sub->get_description(), {}});
  }
  out.push_back(std::move(words));
  for (const CLI::App* sub : subcommands) {
    collect(*sub, path.empty() ? sub->get_name() : path + ' ' + sub->get_name(), out);
  }
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : " ") + text;
  return out;
}

std::vector<std::string> texts_of(const CommandWords& command) {
  std::vector<std::string> texts;
  for (const Word& word : command.subcommands) texts.push_back(word.text);
  texts.insert(texts.end(), command.values.begin(), command.values.end());
  for (const Word& word : command.options) texts.push_back(word.text);
  return texts;
}

/// A case pattern for each option with a choice.
std::string bash_choices(const std::vector<CommandWords>& commands) {
  std::string out;
  for (const CommandWords& command : commands) {
    for (const Word& option : command.options) {
      const std::string pattern = command.path + ' ' + option.text;
      if (option.values.empty()) continue;
      out += "    \"" + pattern + "\") words=\"" + joined(option.values) + "\" ;;\n";
    }
  }
  return out;
}

/// Text inside single quotes for zsh and fish; an apostrophe would end it.
std::string unquoted(std::string text) {
  std::replace(text.begin(), text.end(), '\'', '`');
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

std::vector<CommandWords> words_of(const CLI::App& app) {
  std::vector<CommandWords> out;
  collect(app, "", out);
  return out;
}

std::string bash_completion(const std::vector<CommandWords>& commands) {
  std::string paths;
  std::string words;
  for (const CommandWords& command : commands) {
    if (!command.path.empty()) paths += (paths.empty() ? "" : "|") + ('"' + command.path + '"');
    words += "      \"" + command.path + "\") words=\"" + joined(texts_of(command)) + "\" ;;\n";
  }
  return "# bash completion of restpipe\n"
         "_restpipe() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  local path='' words='' next i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    next=\"${path:+$path }${COMP_WORDS[i]}\"\n"
         "    case $next in\n"
         "      " +
         paths +
         ") path=$next ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$path $prev\" in\n" +
         bash_choices(commands) +
         "    *)\n"
         "    case $path in\n" +
         words +
         "    esac ;;\n"
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "}\n"
         "complete -o default -F _restpipe restpipe\n";
}

std::string zsh_completion(const std::vector<CommandWords>& commands) {
  return "#compdef restpipe\n"
         "# zsh completion of restpipe, through its bash one\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash_completion(commands);
}

std::string fish_completion(const std::vector<CommandWords>& commands) {
  std::string out = "# fish completion of restpipe\n";
  for (const CommandWords& command : commands) {
    // Inside "identity ca": both words were seen. At the top: no command was.
    std::string condition = "__fish_use_subcommand";
    if (!command.path.empty()) {
      condition.clear();
      std::size_t start = 0;
      while (start != std::string::npos) {
        const auto space = command.path.find(' ', start);
        const std::string word = command.path.substr(start, space - start);
        condition += (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + word);
        start = space == std::string::npos ? space : space + 1;
      }
    }
    const std::string begin = "complete -c restpipe -n '" + condition + "' ";
    for (const Word& word : command.subcommands) {
      out += begin + "-f -a " + word.text + " -d '" + unquoted(word.help) + "'\n";
    }
    for (const std::string& value : command.values) out += begin + "-f -a " + value + "\n";
    for (const Word& word : command.options) {
      const bool is_long = word.text.starts_with("--");
      out += begin + (is_long ? "-l " + word.text.substr(2) : "-s " + word.text.substr(1));
      if (!word.values.empty()) out += " -x -a '" + joined(word.values) + "'";
      out += " -d '" + unquoted(word.help) + "'\n";
    }
  }
  return out;
}

}  // namespace rp::tools
