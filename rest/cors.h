#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rest/request.h"
#include "rest/response.h"

namespace rp::rest {

/// What a browser has to be told before a page of an allowed origin may send a request, or read an
/// answer. It says nothing to pages of other origins, and never allows cookies.
class Cors {
 public:
  /// `origins` as browsers write them, such as "https://board.example". A page may set the headers
  /// that the front-end itself knows, and the further ones in `headers`.
  Cors(std::vector<std::string> origins, const std::vector<std::string>& headers);

  bool allows(std::string_view origin) const;

  /// Whole header lines for the answer to `request`: that the page which sent it may read it, where
  /// its origin is allowed. "" where no origin is. A request with several Origin headers is none
  /// of a browser's, and gets what one without gets.
  std::string lines_for(const Request& request) const;

  /// The answer to a preflight, whatever its path: no handler runs. Nothing for other requests.
  std::optional<Response> preflight_answer(const Request& request) const;

  /// A page of an allowed origin asks, by OPTIONS, whether another request may follow. Browsers
  /// send neither cookies nor tokens with it.
  bool is_preflight(const Request& request) const;

 private:
  const std::vector<std::string> origins_;
  std::string headers_;  // for Access-Control-Allow-Headers
};

}  // namespace rp::rest
