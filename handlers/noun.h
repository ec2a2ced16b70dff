#pragma once

#include <cstddef>
#include <string_view>

#include <boost/container/small_vector.hpp>

namespace rp::handlers {

/// A noun string taken apart: "cat//a/b//c" is the noun "cat" with the arguments "a" and "b".
struct NounParts {
  std::string_view noun;
  boost::container::small_vector<std::string_view, 4> args;
  bool too_many_args = false;  ///< more than kArgsMax; args is then empty
};

/// A bound on what one short noun string may make us allocate (RELIABILITY R3): an argument costs
/// 16 bytes for each '/', and no method takes nearly as many.
constexpr std::size_t kArgsMax = 256;

/// Splits at the first "//", and what follows up to the next "//" at each '/'. What comes after
/// that is ignored. The parts are views into `text`.
NounParts split_noun(std::string_view text);

}  // namespace rp::handlers
