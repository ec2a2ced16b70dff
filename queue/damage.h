#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace rp::queue {

/// Finds the end of a damaged stretch of an order: the first key after `from` at which reading
/// works again, or `last`. Looks near `from` first, so that it stops at the first stretch that can
/// be read. `readable` is asked about some 400 keys at most; `from` is known to be unreadable.
std::string end_of_damage(std::string_view from, std::string_view last,
                          const std::function<bool(const std::string&)>& readable);

}  // namespace rp::queue
