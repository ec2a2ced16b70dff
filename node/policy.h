#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/config.h"

/// Who may run what where. docs/policy.md is the user's view of this: the file's grammar, word for
/// word.
namespace rp::node {

/// The verbs of events, in the order of a rule's mask.
inline constexpr std::array<std::string_view, 5> kVerbs{"get", "post", "put", "delete", "patch"};

/// What `to` calls the handlers of the server itself. A client of that name has to be meant by a
/// pattern with '*'.
inline constexpr std::string_view kServerTarget = "server";

/// One question: may `from` run this method there?
struct PolicyQuestion {
  std::string_view from;  ///< the identity of the verified certificate
  std::string_view to;    ///< the client whose handlers are meant; "" for the server's own
  std::string_view verb;
  std::string_view noun;  ///< Event::noun, arguments included
};

/// Some text, or with '*' at the end everything that begins with what stands before it.
class Pattern {
 public:
  /// `text` holds no '*' but at its end.
  explicit Pattern(std::string text)
      : open_(!text.empty() && text.back() == '*'), text_(std::move(text)) {
    if (open_) text_.pop_back();
  }

  bool matches(std::string_view text) const {
    return open_ ? text.starts_with(text_) : text == text_;
  }
  bool is_everything() const { return open_ && text_.empty(); }
  std::string text() const { return open_ ? text_ + '*' : text_; }

 private:
  bool open_;
  std::string text_;
};

/// One rule of the file. It fits a question that all of its parts fit; an empty part fits always.
struct PolicyRule {
  std::vector<Pattern> from;
  std::vector<Pattern> to;
  std::uint8_t verbs = 0;  ///< bit N stands for kVerbs[N]; 0 for every verb
  std::vector<Pattern> nouns;
  std::vector<Pattern> nouns_plainly;  ///< the nouns of a deny rule in their plain spelling
  bool allow = false;
  std::string comment;
  std::uint32_t line = 0;  ///< of its [[rule]] in the file

  bool fits(const PolicyQuestion& question) const;
};

/// Ordered rules, of which the first that fits decides, and what holds when none does. Constant
/// once made, so it is shared freely between threads.
class Policy {
 public:
  /// Longer lists of rules are refused: each call is held against them one by one.
  static constexpr std::size_t kRulesMax = 10'000;
  static constexpr std::size_t kFileBytesMax = std::size_t{1024} * 1024;

  struct Decision {
    bool allowed = false;
    const PolicyRule* rule = nullptr;  ///< of this policy; null when the default decided
  };

  /// What holds without a file: clients may call the server's own handlers and not each other.
  static Policy built_in();

  /// Reads a policy file. Throws ConfigError with every problem, each with file, line and column.
  static Policy load(const std::filesystem::path& file);
  /// The same for text at hand; `name` stands for the file in messages.
  static Policy parse(std::string_view text, const std::string& name);

  Decision decide(const PolicyQuestion& question) const;

  /// The place that decided: "policy.toml:7", "policy.toml:1 (default)", "built-in policy".
  std::string place(const Decision& decision) const;

  bool is_built_in() const { return file_.empty(); }
  std::size_t size() const { return rules_.size(); }

 private:
  friend class PolicyReader;

  std::string file_;  // as messages name it; empty for the built-in policy
  bool allow_by_default_ = false;
  std::uint32_t default_line_ = 0;  // 0 when the file leaves the default to us
  std::vector<PolicyRule> rules_;
};

/// The noun string up to its arguments: "cat//a/b" is "cat".
std::string_view noun_without_arguments(std::string_view noun);

/// The noun by which an executable is found whose file has an extension: "report.py" is "report".
std::string_view without_extension(std::string_view noun);

/// A noun string in the one spelling that stands for all that may reach the same handler: '/' and
/// '_' name the same method, and a mounted folder takes "a//b" and "a/./b" for "a/b".
std::string plain_spelling(std::string_view noun);

}  // namespace rp::node
