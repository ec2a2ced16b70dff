// The half of policy.h that reads the file.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <utility>

#include <toml++/toml.h>

#include "node/policy.h"
#include "node/suggest.h"
#include "pipe/log.h"

namespace rp::node {
namespace {

constexpr std::size_t kNameCharsMax = 253;    // of a node name, docs/wire.md section "Link"
constexpr std::size_t kNounCharsMax = 1'024;  // longer ones are no names of methods
constexpr std::size_t kCommentCharsMax = 1'024;
constexpr std::size_t kProblemsMax = 100;  // what follows is seldom more than an echo

const std::vector<std::string> kTopKeys{"default", "rule"};
const std::vector<std::string> kRuleKeys{"from", "to", "verbs", "nouns", "decision", "comment"};

constexpr std::string_view kNameAccepted =
    "a node name of letters, digits, '_', '.' and '-', with '*' at its end for all names that "
    "begin so, or \"*\" for everybody";
constexpr std::string_view kTargetAccepted =
    "\"server\" for the server's own handlers, a client's name, with '*' at its end for all names "
    "that begin so, or \"*\" for every node";
constexpr std::string_view kNounAccepted =
    "a noun such as \"time/utc\", with '*' at its end for all that begin so, or \"*\" for all; "
    "neither '//' nor arguments";
constexpr std::string_view kVerbAccepted = "get, post, put, delete, patch, or \"*\" for all";
constexpr std::string_view kDecisionAccepted = "\"allow\" or \"deny\"";

std::string in_quotes(std::string_view text) {
  const std::string escaped = log_escaped(text);
  return escaped.starts_with('"') ? escaped : '"' + escaped + '"';
}

std::string list_of(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : ", ") + word;
  return list;
}

bool is_name(std::string_view text) {
  return text.size() <= kNameCharsMax && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '-';
         });
}

bool is_noun(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return text.size() <= kNounCharsMax && !text.starts_with('/') && text.find("//") == text.npos &&
         std::none_of(text.begin(), text.end(), control);
}

/// A pattern whose fixed part is `valid`; nothing when it is malformed.
template <class Valid>
std::optional<Pattern> parse_pattern(const std::string& text, Valid valid) {
  const std::string_view fixed = std::string_view(text).substr(0, text.find('*'));
  const bool one_star_at_most = text.size() <= fixed.size() + 1;
  if (text.empty() || !one_star_at_most || !valid(fixed)) return std::nullopt;
  return Pattern(text);
}

}  // namespace

/// Walks a document and makes its policy, or the list of what is wrong with it.
class PolicyReader {
 public:
  explicit PolicyReader(std::string file) { policy_.file_ = std::move(file); }

  Policy read(const toml::table& document) {
    refuse_unknown(document, kTopKeys, "");
    if (const toml::node* node = document.get("default")) {
      policy_.default_line_ = node->source().begin.line;
      policy_.allow_by_default_ = take_decision("default", *node);
    }
    if (const toml::node* rules = document.get("rule")) take_rules(*rules);
    if (!problems_.empty()) throw_problems();
    return std::move(policy_);
  }

 private:
  void take_rules(const toml::node& node) {
    const toml::array* rules = node.as_array();
    if (!rules || !rules->is_array_of_tables()) {
      return problem(node, "rule is no list of rules; accepted: any number of [[rule]] sections");
    }
    if (rules->size() > Policy::kRulesMax) {
      return problem(node, "holds " + std::to_string(rules->size()) + " rules; accepted: at most " +
                               std::to_string(Policy::kRulesMax));
    }
    for (const toml::node& rule : *rules) take_rule(*rule.as_table());
  }

  void take_rule(const toml::table& table) {
    refuse_unknown(table, kRuleKeys, " in [[rule]]");
    PolicyRule rule;
    rule.line = table.source().begin.line;
    if (const toml::node* decision = table.get("decision")) {
      rule.allow = take_decision("decision", *decision);
    } else {
      problem(table,
              std::string("the rule has no decision; accepted: ") + std::string(kDecisionAccepted));
    }
    if (!table.get("from")) {
      problem(table, "the rule does not say whom it is about: from is missing; accepted: " +
                         std::string(kNameAccepted));
    }
    take_patterns(table, "from", is_name, kNameAccepted, rule.from);
    take_patterns(table, "to", is_name, kTargetAccepted, rule.to);
    take_patterns(table, "nouns", is_noun, kNounAccepted, rule.nouns);
    if (!rule.allow) {
      for (const Pattern& noun : rule.nouns) {
        rule.nouns_plainly.emplace_back(plain_spelling(noun.text()));
        rule.nouns_plainly.emplace_back(plain_spelling(without_extension(noun.text())));
      }
    }
    take_verbs(table, rule);
    take_comment(table, rule);
    policy_.rules_.push_back(std::move(rule));
  }

  template <class Valid>
  void take_patterns(const toml::table& table, std::string_view key, Valid valid,
                     std::string_view accepted, std::vector<Pattern>& to) {
    for_each_text(table, key, accepted, [&](const toml::node& node, const std::string& text) {
      if (auto pattern = parse_pattern(text, valid)) {
        to.push_back(std::move(*pattern));
      } else {
        problem(node, std::string(key) + ": " + in_quotes(text) +
                          " is no pattern; accepted: " + std::string(accepted));
      }
    });
  }

  void take_verbs(const toml::table& table, PolicyRule& rule) {
    bool all = false;
    for_each_text(table, "verbs", kVerbAccepted,
                  [&](const toml::node& node, const std::string& text) {
                    const auto found = std::find(kVerbs.begin(), kVerbs.end(), text);
                    if (found != kVerbs.end()) {
                      rule.verbs |= static_cast<std::uint8_t>(1U << (found - kVerbs.begin()));
                    } else if (text == "*") {
                      all = true;
                    } else {
                      problem(node, "verbs: " + in_quotes(text) +
                                        " is no verb; accepted: " + std::string(kVerbAccepted));
                    }
                  });
    if (all) rule.verbs = 0;
  }

  void take_comment(const toml::table& table, PolicyRule& rule) {
    const toml::node* node = table.get("comment");
    if (!node) return;
    const auto* text = node->as_string();
    if (!text || text->get().size() > kCommentCharsMax) {
      return problem(*node, "comment is no short text; accepted: a string of at most " +
                                std::to_string(kCommentCharsMax) + " characters");
    }
    rule.comment = text->get();
  }

  bool take_decision(std::string_view key, const toml::node& node) {
    const auto* text = node.as_string();
    if (text && text->get() == "allow") return true;
    if (!text || text->get() != "deny") {
      problem(node, std::string(key) +
                        " is neither of its words; accepted: " + std::string(kDecisionAccepted));
    }
    return false;
  }

  /// `take` for the one text, or for each of the list, that stands under `key`.
  void for_each_text(const toml::table& table, std::string_view key, std::string_view accepted,
                     const std::function<void(const toml::node&, const std::string&)>& take) {
    const toml::node* node = table.get(key);
    if (!node) return;
    const auto take_one = [&](const toml::node& item) {
      if (const auto* text = item.as_string()) return take(item, text->get());
      problem(item, std::string(key) + " holds no text; accepted: " + std::string(accepted));
    };
    const toml::array* list = node->as_array();
    if (!list) return take_one(*node);
    if (list->empty()) {
      problem(*node, std::string(key) + " is an empty list, which would fit nothing; accepted: " +
                         std::string(accepted));
    }
    for (const toml::node& item : *list) take_one(item);
  }

  void refuse_unknown(const toml::table& table, const std::vector<std::string>& known,
                      std::string_view where) {
    for (const auto& [key, node] : table) {
      const std::string word(key.str());
      if (std::find(known.begin(), known.end(), word) != known.end()) continue;
      const std::string meant = nearest(word, known);
      problem(key.source(), "unknown key " + in_quotes(word) + std::string(where) +
                                "; accepted: " + list_of(known) +
                                (meant.empty() ? "" : " (did you mean " + meant + "?)"));
    }
  }

  void problem(const toml::node& node, const std::string& what) { problem(node.source(), what); }

  void problem(const toml::source_region& region, const std::string& what) {
    problems_.push_back({region.begin, policy_.file_ + ':' + std::to_string(region.begin.line) +
                                           ':' + std::to_string(region.begin.column) + ": " +
                                           what});
  }

  /// In the order of the file, which is not the order in which they were found.
  [[noreturn]] void throw_problems() {
    std::stable_sort(problems_.begin(), problems_.end(), [](const auto& a, const auto& b) {
      return std::pair(a.first.line, a.first.column) < std::pair(b.first.line, b.first.column);
    });
    problems_.resize(std::min(problems_.size(), kProblemsMax));
    std::vector<std::string> lines;
    for (auto& [at, line] : problems_) lines.push_back(std::move(line));
    throw ConfigError(std::move(lines));
  }

  Policy policy_;
  std::vector<std::pair<toml::source_position, std::string>> problems_;
};

Policy Policy::parse(std::string_view text, const std::string& name) {
  try {
    return PolicyReader(name).read(toml::parse(text, name));
  } catch (const toml::parse_error& error) {
    throw ConfigError({name + ':' + std::to_string(error.source().begin.line) + ':' +
                       std::to_string(error.source().begin.column) + ": " +
                       std::string(error.description())});
  }
}

Policy Policy::load(const std::filesystem::path& file) {
  const auto refuse = [&](const std::string& why) {
    throw ConfigError({file.string() + ": " + why});
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) refuse("is a directory; accepted: a TOML file");
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) refuse(std::string("cannot be read: ") + std::strerror(errno));
  std::string text(kFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) refuse(std::string("cannot be read: ") + std::strerror(errno));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kFileBytesMax) refuse("is larger than 1 MiB");
  return parse(text, file.string());
}

}  // namespace rp::node
