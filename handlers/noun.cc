#include "handlers/noun.h"

#include <algorithm>

namespace rp::handlers {

NounParts split_noun(std::string_view text) {
  NounParts parts;
  const auto separator = text.find("//");
  parts.noun = text.substr(0, separator);
  if (separator == std::string_view::npos) return parts;

  auto rest = text.substr(separator + 2);
  rest = rest.substr(0, rest.find("//"));
  if (static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '/')) >= kArgsMax) {
    parts.too_many_args = true;
    return parts;
  }
  for (;;) {
    const auto slash = rest.find('/');
    parts.args.push_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace rp::handlers
