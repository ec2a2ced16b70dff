#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "pipe/error.h"

namespace rp::rest {

/// Why a path is refused before anything looks at it.
enum class PathError {
  control_byte,     ///< a byte below 0x20 or 0x7f, percent-encoded ones such as %00 included
  backslash,        ///< '\' or %5C: some file systems take it for a separator
  dot_dot_segment,  ///< a segment that is exactly ".."
  overlong_utf8,    ///< a character encoded in more bytes than it needs
};

/// A sentence for the client: what was wrong.
std::string_view sentence(PathError e);

/// Decodes a raw path (no query) the way every route sees it: each valid %XX once, invalid ones
/// stay as they are, '+' stays '+', and what is no UTF-8 afterwards becomes U+FFFD, one for each
/// maximal ill-formed part. Returns the reason when the path is refused; `out` is then unspecified.
std::optional<PathError> decode_path(std::string_view raw, std::string& out);

/// What is left of a raw path behind as much of it as decodes to `decoded_bytes` bytes of ASCII.
std::string_view behind_decoded(std::string_view raw, std::size_t decoded_bytes);

/// What an event URL names: a side of the pipe, for a client its host, and the noun string.
struct EventAddress {
  enum class Side { server, client };

  Side side{};
  std::string host;  ///< client name, DNS name or IPv4 address, or "*" for all clients; "" for the
                     ///< server side
  std::string noun;  ///< everything after the prefix, undivided: "cat//hello /world"
};

/// Matches a decoded path: "/server/" + noun, or "/client/" + [A-Za-z0-9_.-]+ + "/" + noun, or
/// "/client/*/" + noun, where the noun may be empty. Nothing for every other path.
std::optional<EventAddress> parse_event_address(std::string_view path);

}  // namespace rp::rest
