#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipe/event.h"

namespace rp::handlers {

/// Nouns and the targets that answer all that begins with them. Filled at start-up, then read by
/// many threads.
class Mounts final {
 public:
  struct Mount {
    std::string noun;  ///< "app"; "" for everything
    std::shared_ptr<pipe::EventTarget> target;

    /// What calls of it are called in metrics and logs: "get_app_*".
    std::string method_name(std::string_view verb) const;
  };

  /// Throws std::invalid_argument, naming the rule, for a malformed or repeated noun.
  void add(std::string_view noun, std::shared_ptr<pipe::EventTarget> target);

  /// `noun`: an event's, arguments included. The longest that is it, or is followed in it by '/'.
  const Mount* find(std::string_view noun) const noexcept;

 private:
  std::vector<Mount> mounts_;  // the longest noun first
};

}  // namespace rp::handlers
