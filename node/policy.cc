#include "node/policy.h"

#include <algorithm>
#include <utility>

namespace rp::node {
namespace {

bool any_matches(const std::vector<Pattern>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const Pattern& pattern) { return pattern.matches(text); });
}

bool target_fits(const std::vector<Pattern>& to, std::string_view target) {
  if (to.empty()) return true;
  return std::any_of(to.begin(), to.end(), [&](const Pattern& pattern) {
    if (pattern.is_everything()) return true;
    const bool means_server = pattern.text() == kServerTarget;
    return target.empty() ? means_server : !means_server && pattern.matches(target);
  });
}

bool verb_fits(std::uint8_t mask, std::string_view verb) {
  if (mask == 0) return true;
  const auto found = std::find(kVerbs.begin(), kVerbs.end(), verb);
  return found != kVerbs.end() && ((mask >> (found - kVerbs.begin())) & 1) != 0;
}

/// What is allowed is allowed as it is written; what is denied is denied however it is spelt.
bool noun_fits(const PolicyRule& rule, std::string_view noun) {
  if (rule.nouns.empty()) return true;
  const std::string_view method = noun_without_arguments(noun);
  if (any_matches(rule.nouns, method)) return true;
  if (rule.allow) return false;
  return any_matches(rule.nouns_plainly, plain_spelling(method)) ||
         any_matches(rule.nouns_plainly, plain_spelling(without_extension(method))) ||
         any_matches(rule.nouns_plainly, plain_spelling(noun));
}

}  // namespace

std::string_view noun_without_arguments(std::string_view noun) {
  return noun.substr(0, noun.find("//"));
}

std::string_view without_extension(std::string_view noun) {
  constexpr std::size_t kExtensionMax = 8;  // docs/handlers.md, section "Executables"
  const auto dot = noun.rfind('.');
  const auto extension = dot == noun.npos ? std::string_view() : noun.substr(dot + 1);
  const bool is_one =
      !extension.empty() && extension.size() <= kExtensionMax &&
      std::all_of(extension.begin(), extension.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      });
  return is_one ? noun.substr(0, dot) : noun;
}

std::string plain_spelling(std::string_view noun) {
  std::string plain;
  plain.reserve(noun.size());
  for (std::size_t at = 0; at <= noun.size();) {
    const std::size_t slash = std::min(noun.find('/', at), noun.size());
    const std::string_view part = noun.substr(at, slash - at);
    const bool last = slash == noun.size();
    if (!part.empty() && part != ".") {
      plain += part;
      if (!last) plain += '_';
    }
    at = slash + 1;
  }
  return plain;
}

bool PolicyRule::fits(const PolicyQuestion& question) const {
  return verb_fits(verbs, question.verb) && any_matches(from, question.from) &&
         target_fits(to, question.to) && noun_fits(*this, question.noun);
}

Policy Policy::built_in() {
  Policy policy;
  PolicyRule rule;
  rule.from.emplace_back("*");
  rule.to.emplace_back(std::string(kServerTarget));
  rule.allow = true;
  policy.rules_.push_back(std::move(rule));
  return policy;
}

Policy::Decision Policy::decide(const PolicyQuestion& question) const {
  for (const PolicyRule& rule : rules_) {
    if (rule.fits(question)) return {rule.allow, &rule};
  }
  return {allow_by_default_, nullptr};
}

std::string Policy::place(const Decision& decision) const {
  if (is_built_in()) return "built-in policy";
  if (decision.rule != nullptr) return file_ + ':' + std::to_string(decision.rule->line);
  if (default_line_ != 0) return file_ + ':' + std::to_string(default_line_) + " (default)";
  return file_ + " (no rule fits, and the default is deny)";
}

}  // namespace rp::node
