#pragma once

#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "node/config.h"
#include "pipe/pipe.h"

/// What GET /nodes shows, the same on both kinds of node.
namespace rp::node {

/// One connected peer. On the pipe's own thread.
boost::json::object describe(const pipe::Pipe& pipe);

/// The whole answer: the node's own role and name, and its `peers` sorted by name.
std::string nodes_document(Role role, const std::string& name, boost::json::array peers);

}  // namespace rp::node
