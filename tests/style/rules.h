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

/// Asio's `detached` drops exceptions in silence. (A thread may have to be detached: nothing can
/// end one that is stuck in a plugin or in a DNS lookup.)
std::vector<Violation> detached_work(const SourceFile& file);

}  // namespace rp::style
