#pragma once

#include <memory>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "pipe/pipe.h"
#include "rest/exchange.h"

/// What GET /nodes shows, the same on both kinds of node.
namespace rp::node {

class Runtime;

/// One connected peer. On the pipe's own thread.
boost::json::object describe(const pipe::Pipe& pipe);

/// Answers with the node's own role and name and its `peers`, sorted by name.
void answer_nodes(rest::Exchange& exchange, const Runtime& runtime, boost::json::array peers);

}  // namespace rp::node
