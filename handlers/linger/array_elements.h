#pragma once

#include <optional>
#include <string_view>

/// Arrays in JSON text, cut where their elements end. Quotes and brackets are followed, values are
/// not read: a message stays as it was written, and is judged by whoever reads it.
namespace rp::handlers::linger {

struct ArrayElement {
  std::string_view text;  ///< without blanks around it; empty in "[]" and between two commas
  bool last = false;      ///< the array ended behind it
};

/// Takes an element off the front of `text`, and the ',' or ']' behind it. `text` is what follows
/// the '[' of an array, or an element that was not the last; it stays as it is, and there is no
/// element, when neither ',' nor ']' comes.
std::optional<ArrayElement> take_element(std::string_view& text);

/// `text` without JSON's blanks at both ends.
std::string_view without_outer_blanks(std::string_view text);

}  // namespace rp::handlers::linger
