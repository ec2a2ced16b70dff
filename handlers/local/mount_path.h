#pragma once

#include <string>
#include <string_view>

namespace rp::handlers {

/// What follows the noun `mount` in an event's noun string, as the path of an HTTP request:
/// "app//a/b" and "app/a/b" are "/a/b", "app//" is "/", "app///a" is "//a". Empty when nothing
/// follows, not even a slash.
std::string_view path_below(std::string_view mount, std::string_view noun);

/// `path` as a request target may hold it: everything but unreserved characters, sub-delimiters,
/// ':', '@' and '/' as %XX (RFC 3986, section 3.3).
std::string encoded_path(std::string_view path);

/// path_below(), percent-encoded: as its caller wrote it, so that an encoded slash stays one, where
/// `written` is the noun in that form (pipe::kEncodedNounHeader); else encoded anew. `written` may
/// come from anywhere: it counts only if it decodes to `noun`, and what a request target may not
/// hold is encoded in any case.
std::string encoded_path_below(std::string_view mount, std::string_view noun,
                               std::string_view written);

}  // namespace rp::handlers
