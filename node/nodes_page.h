#pragma once

#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "node/config.h"
#include "node/node_feed.h"
#include "pipe/pipe.h"

/// What /nodes shows and tells, the same on both kinds of node. docs/nodes.md is the user's view.
namespace rp::node {

/// One peer whose session lasts, with or without a link. On the pipe's own thread.
boost::json::object describe(const pipe::Pipe& pipe);

/// The whole answer: the node's own role and name, the peers with a link and those whose session is
/// kept for another one, both sorted by name. `peers` are described.
std::string nodes_document(Role role, const std::string& name, boost::json::array peers);

/// Watchers hear that a peer's link is up: of a session that begins, or goes on.
void tell_up(NodeFeed& feed, const pipe::Origin& peer, std::string_view software, bool resumed);
/// That it is lost, while the session is kept for another one.
void tell_detached(NodeFeed& feed, const pipe::Origin& peer, pipe::error_code why);
/// That the session is over.
void tell_left(NodeFeed& feed, const pipe::Origin& peer, pipe::error_code why);

}  // namespace rp::node
