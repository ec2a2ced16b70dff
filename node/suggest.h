#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rp::node {

/// Insertions, removals, replacements and swaps of neighbours that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` was most likely meant to be, or "" when none is near enough: at most a
/// third of the word may differ. Upper and lower case count as equal.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace rp::node
