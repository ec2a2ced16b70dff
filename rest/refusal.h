#pragma once

#include <string>
#include <string_view>

namespace rp::rest {

/// Why the gate refuses a connection's input. Nothing more is read from it afterwards.
struct Refusal {
  int status = 400;
  std::string_view code;  ///< stable word, a literal
  std::string detail;     ///< a sentence that names what was wrong
};

}  // namespace rp::rest
