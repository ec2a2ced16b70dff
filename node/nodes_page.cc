#include "node/nodes_page.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/json.hpp>

#include "node/logging.h"

namespace rp::node {

namespace json = boost::json;

namespace {

bool is_attached(const json::value& node) { return node.at("state").as_string() == "attached"; }

bool is_before(const json::value& a, const json::value& b) {
  return a.at("name").as_string() < b.at("name").as_string();
}

json::object happened_to(const pipe::Origin& peer) {
  json::object data;
  data["name"] = peer.node;
  data["address"] = peer.address;
  data["port"] = peer.port;
  data["at"] = timestamp(std::chrono::system_clock::now());
  return data;
}

void tell_down(NodeFeed& feed, std::string_view event, const pipe::Origin& peer,
               pipe::error_code why) {
  if (feed.watchers() == 0) return;
  json::object data = happened_to(peer);
  data["reason"] = why.message();
  feed.tell(event, json::serialize(data));
}

}  // namespace

json::object describe(const pipe::Pipe& pipe) {
  const pipe::Session::Stats stats = pipe.stats();
  json::object node;
  node["name"] = pipe.peer().node;
  node["state"] = pipe.is_open() ? "attached" : "detached";
  node["address"] = pipe.peer().address;
  node["port"] = pipe.peer().port;
  node["software"] = pipe.peer_hello()->software;
  node["since"] = timestamp(pipe.since());
  node["links"] = stats.links;
  node["resumes"] = pipe.resumes();
  node["in_flight_to_node"] = stats.calls_out_in_flight;
  node["in_flight_from_node"] = stats.calls_in_in_flight;
  node["calls_to_node"] = stats.calls_out;
  node["calls_from_node"] = stats.calls_in;
  node["bytes_received"] = stats.bytes_received;
  node["bytes_sent"] = stats.bytes_sent;
  node["unacknowledged_bytes"] = stats.unacknowledged_bytes;
  node["round_trip_us"] = stats.round_trip.count();
  return node;
}

std::string nodes_document(Role role, const std::string& name, json::array peers) {
  std::sort(peers.begin(), peers.end(), is_before);
  json::array attached;
  json::array detached;
  for (json::value& peer : peers) {
    (is_attached(peer) ? attached : detached).push_back(std::move(peer));
  }
  json::object body;
  body["role"] = std::string(rp::node::name(role));
  body["name"] = name;
  body["nodes"] = std::move(attached);
  body["detached"] = std::move(detached);
  return json::serialize(body);
}

void tell_up(NodeFeed& feed, const pipe::Origin& peer, std::string_view software, bool resumed) {
  if (feed.watchers() == 0) return;
  json::object data = happened_to(peer);
  data["software"] = software;
  feed.tell(resumed ? "resumed" : "joined", json::serialize(data));
}

void tell_detached(NodeFeed& feed, const pipe::Origin& peer, pipe::error_code why) {
  tell_down(feed, "detached", peer, why);
}

void tell_left(NodeFeed& feed, const pipe::Origin& peer, pipe::error_code why) {
  tell_down(feed, "left", peer, why);
}

}  // namespace rp::node
