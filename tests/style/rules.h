#pragma once

#include <cstddef>
#include <vector>

#include "tests/style/source_text.h"

/// What a compiler accepts and this project does not.
namespace rp::style {

/// Longer files hold a second idea.
constexpr std::size_t kFileLinesMax = 450;

std::vector<Violation> too_long(const SourceFile& file);

/// A capturing lambda or a brace list born in the same expression as a `co_await`: g++ 12 destroys
/// it twice. It is named first, then awaited.
std::vector<Violation> born_beside_co_await(const SourceFile& file);

/// `detached` drops exceptions in silence, and a thread that nobody joins outlives its data.
std::vector<Violation> detached_work(const SourceFile& file);

}  // namespace rp::style
