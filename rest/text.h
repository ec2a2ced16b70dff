#pragma once

#include <cstddef>
#include <string_view>

/// The character classes of HTTP fields (RFC 9110, section 5), shared by reading and writing.
namespace rp::rest {

/// True for the characters of an HTTP token (RFC 9110, section 5.6.2); false for "".
bool is_token(std::string_view text);

/// True when `text` may be a header value: no control byte except TAB.
bool is_header_value(std::string_view text);

/// For equals_ignoring_case().
bool same_ignoring_case(const char* a, const char* b, std::size_t size);

/// ASCII case-insensitive comparison, as header names and connection options need it.
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;  // settles nearly every question where it is asked
  return same_ignoring_case(a.data(), b.data(), a.size());
}

/// `text` without spaces and tabs at its ends.
std::string_view trimmed(std::string_view text);

/// Takes the next element off a comma-separated list, trimmed. Empty elements come out as "";
/// the list is used up when it is empty.
std::string_view next_list_element(std::string_view& list);

char to_lower(char c);

}  // namespace rp::rest
