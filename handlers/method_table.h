#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "handlers/dispatcher.h"

namespace rp::handlers {

/// One registered method.
struct Method {
  std::string name;  ///< "get_time_utc"; of a pattern "get_files_*"
  std::string verb;  ///< "get"
  Flags flags = Flags::none;
  Handler handler;
  std::shared_ptr<pipe::EventTarget>
      target;  ///< answers instead of the handler, where there is one
};

/// Verb and noun to a method. Only what was added is ever found: there are no dynamic names.
/// Filled at start-up, then read by many threads.
class MethodTable final {
 public:
  /// Throws std::invalid_argument, naming the rule, for a malformed verb or noun or a second method
  /// of one name.
  void add(std::string_view verb, std::string_view noun, Flags flags, Handler handler);
  void add(std::string_view verb, std::string_view noun, Flags flags,
           std::shared_ptr<pipe::EventTarget> target);

  /// Whether any method has a target.
  bool has_targets() const noexcept { return has_targets_; }

  /// `verb` in any case, `noun` without arguments. Null when there is no such method. Builds no
  /// string: this is on the path of every call.
  const Method* find(std::string_view verb, std::string_view noun) const noexcept;

  /// Sorted.
  std::vector<std::string> names() const;

 private:
  // "time/utc" and "time_utc" are one name: both hash and comparison read '/' as '_'.
  struct NounHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view noun) const noexcept;
  };
  struct NounEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const noexcept;
  };
  struct Pattern {
    std::string prefix;
    std::unique_ptr<Method> method;
  };
  struct Verb {
    std::unordered_map<std::string, std::unique_ptr<Method>, NounHash, NounEqual> exact;
    std::vector<Pattern> patterns;    // longest prefix first
    std::size_t exact_bytes_max = 0;  // a longer noun is in no table, and is not hashed
  };

  void add(std::string_view verb, std::string_view noun, Method method);
  void add_pattern(Verb& verb, std::string prefix, std::unique_ptr<Method> method);

  static constexpr std::array<std::string_view, 5> kVerbs = {"get", "post", "put", "delete",
                                                             "patch"};
  std::array<Verb, kVerbs.size()> verbs_;  // in the order of kVerbs
  bool has_targets_ = false;
};

}  // namespace rp::handlers
