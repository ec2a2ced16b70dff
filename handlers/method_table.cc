#include "handlers/method_table.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace rp::handlers {
namespace {

char mapped(char c) noexcept { return c == '/' ? '_' : c; }

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_verb(std::string_view given, std::string_view verb) noexcept {
  return std::equal(given.begin(), given.end(), verb.begin(), verb.end(),
                    [](char a, char b) { return lower(a) == b; });
}

bool noun_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == '/';
}

std::string with_slashes_mapped(std::string_view noun) {
  std::string name(noun);
  std::transform(name.begin(), name.end(), name.begin(), mapped);
  return name;
}

void check_noun(std::string_view noun) {
  const auto fixed = noun.ends_with('*') ? noun.substr(0, noun.size() - 1) : noun;
  if (noun.empty()) throw std::invalid_argument("a noun must not be empty");
  if (!std::all_of(fixed.begin(), fixed.end(), noun_character)) {
    throw std::invalid_argument("noun '" + std::string(noun) +
                                "' may hold letters, digits, '_', '-', '.', '/' and a '*' at its "
                                "end");
  }
  if (fixed.find("//") != std::string_view::npos) {
    throw std::invalid_argument("noun '" + std::string(noun) +
                                "' holds '//', which begins the arguments");
  }
}

}  // namespace

std::size_t MethodTable::NounHash::operator()(std::string_view noun) const noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, 64 bit
  for (const char c : noun) {
    hash = (hash ^ static_cast<unsigned char>(mapped(c))) * 0x100000001b3;
  }
  return hash;
}

bool MethodTable::NounEqual::operator()(std::string_view a, std::string_view b) const noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return mapped(x) == mapped(y); });
}

void MethodTable::add(std::string_view verb, std::string_view noun, Flags flags, Handler handler) {
  if (!handler) throw std::invalid_argument("a method needs a handler");
  add(verb, noun, {{}, {}, flags, std::move(handler), nullptr});
}

void MethodTable::add(std::string_view verb, std::string_view noun, Flags flags,
                      std::shared_ptr<pipe::EventTarget> target) {
  if (!target) throw std::invalid_argument("a method needs a target");
  add(verb, noun, {{}, {}, flags, nullptr, std::move(target)});
  has_targets_ = true;
}

void MethodTable::add(std::string_view verb, std::string_view noun, Method added) {
  const auto known = std::find(kVerbs.begin(), kVerbs.end(), verb);
  if (known == kVerbs.end()) {
    throw std::invalid_argument("verb '" + std::string(verb) +
                                "' is not one of get, post, put, delete, patch");
  }
  check_noun(noun);

  const auto key = with_slashes_mapped(noun);
  added.name = std::string(verb).append("_").append(key);
  added.verb = verb;
  auto method = std::make_unique<Method>(std::move(added));
  auto& table = verbs_[static_cast<std::size_t>(known - kVerbs.begin())];
  if (key.ends_with('*')) {
    return add_pattern(table, key.substr(0, key.size() - 1), std::move(method));
  }
  const auto name = method->name;
  if (!table.exact.try_emplace(key, std::move(method)).second) {
    throw std::invalid_argument("method '" + name + "' exists already");
  }
  table.exact_bytes_max = std::max(table.exact_bytes_max, key.size());
}

void MethodTable::add_pattern(Verb& verb, std::string prefix, std::unique_ptr<Method> method) {
  const auto same = [&](const Pattern& p) { return p.prefix == prefix; };
  if (std::any_of(verb.patterns.begin(), verb.patterns.end(), same)) {
    throw std::invalid_argument("method '" + method->name + "' exists already");
  }
  const auto shorter = [&](const Pattern& p) { return p.prefix.size() < prefix.size(); };
  const auto at = std::find_if(verb.patterns.begin(), verb.patterns.end(), shorter);
  verb.patterns.insert(at, Pattern{std::move(prefix), std::move(method)});
}

const Method* MethodTable::find(std::string_view verb, std::string_view noun) const noexcept {
  const auto known = std::find_if(kVerbs.begin(), kVerbs.end(),
                                  [&](std::string_view v) { return same_verb(verb, v); });
  if (known == kVerbs.end()) return nullptr;
  const auto& table = verbs_[static_cast<std::size_t>(known - kVerbs.begin())];
  if (noun.size() <= table.exact_bytes_max) {
    const auto found = table.exact.find(noun);
    if (found != table.exact.end()) return found->second.get();
  }
  for (const auto& pattern : table.patterns) {
    if (NounEqual{}(noun.substr(0, pattern.prefix.size()), pattern.prefix)) {
      return pattern.method.get();
    }
  }
  return nullptr;
}

std::vector<std::string> MethodTable::names() const {
  std::vector<std::string> names;
  for (const auto& verb : verbs_) {
    for (const auto& [noun, method] : verb.exact) names.push_back(method->name);
    for (const auto& pattern : verb.patterns) names.push_back(pattern.method->name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace rp::handlers
