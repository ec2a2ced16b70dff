#pragma once

#include <string>
#include <string_view>

#include "rest/endpoint.h"

namespace rp::tools {

/// Which node a command talks to and what it asks for.
struct Destination {
  rest::Endpoint node;
  std::string target;  ///< percent-encoded path and query
};

/// Finds the local node for a command line.
///
/// `url_or_path` is "http://HOST[:PORT]/PATH" or a path, whose leading '/' may be missing. For a
/// path the node is `rest_flag`; else the first entry of RESTPIPE_REST; else the default address of
/// the node that routes the path: the server for /client/.., /nodes and the message queue, the
/// client for everything else. Throws CLI::ValidationError with what is accepted.
Destination find_destination(std::string_view url_or_path, std::string_view rest_flag);

/// Bytes that cannot stand in a request target, such as blanks and letters beyond ASCII, become
/// %XX; everything else, '%' included, is left as the user wrote it.
std::string encoded_target(std::string_view path);

}  // namespace rp::tools
