#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rp::style {

/// One C++ source file as the rules see it.
struct SourceFile {
  std::string path;  ///< relative to the root of the project, with '/': "pipe/core/frame.h"
  std::string text;

  bool is_header() const { return path.ends_with(".h"); }
};

/// A rule that a file breaks; `what` is a sentence for the one who has to mend it.
struct Violation {
  std::string path;
  std::size_t line = 0;  ///< from 1
  std::string what;
};

/// `text` with comments and the contents of string and character literals turned into spaces, so
/// that a rule sees code only. Newlines stay, so offsets and line numbers are those of `text`.
std::string code_only(std::string_view text);

/// The line, from 1, of the byte at `offset`.
std::size_t line_of(std::string_view text, std::size_t offset);

/// One `#include` line.
struct Include {
  std::string target;  ///< without the brackets or quotes: "pipe/error.h"
  bool quoted = false;
  std::size_t line = 0;
};
std::vector<Include> includes_of(std::string_view text);

}  // namespace rp::style
