#pragma once

#include <string>
#include <string_view>

/// Text from strangers on its way into a line, a terminal or a document.
namespace rp::node {

/// A JSON string with its quotes. Control characters, those of the C1 block included, are escaped;
/// bytes that are not UTF-8 become U+FFFD.
std::string json_quoted(std::string_view text);

/// A logfmt value: bare when it is plain, else in quotes. Control characters and bytes that are not
/// UTF-8 become \xNN, so that no terminal acts on them and one field stays one field.
std::string logfmt_value(std::string_view text);

}  // namespace rp::node
