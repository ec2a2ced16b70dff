#pragma once

#include <string>
#include <string_view>

namespace rp::handlers {

/// What follows the noun `mount` in an event's noun string, as the path of an HTTP request:
/// "app//a/b" and "app/a/b" are "/a/b", "app//" is "/", "app///a" is "//a". Empty when nothing
/// follows, not even a slash.
std::string_view path_below(std::string_view mount, std::string_view noun);

/// True when a part of `path` between slashes is exactly "..".
bool has_dot_dot(std::string_view path);

/// `path` as a request target may hold it: everything but unreserved characters, sub-delimiters,
/// ':', '@' and '/' as %XX (RFC 3986, section 3.3).
std::string percent_encoded(std::string_view path);

}  // namespace rp::handlers
