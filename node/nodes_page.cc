#include "node/nodes_page.h"

#include <algorithm>
#include <string>
#include <utility>

#include <boost/json.hpp>

namespace rp::node {

namespace json = boost::json;

json::object describe(const pipe::Pipe& pipe) {
  const pipe::Session::Stats stats = pipe.stats();
  json::object node;
  node["name"] = pipe.peer().node;
  node["address"] = pipe.peer().address;
  node["port"] = pipe.peer().port;
  node["software"] = pipe.peer_hello()->software;
  node["calls_in_flight"] = stats.calls_out_in_flight + stats.calls_in_in_flight;
  node["calls_to_node"] = stats.calls_out;
  node["calls_from_node"] = stats.calls_in;
  node["bytes_received"] = stats.bytes_received;
  node["bytes_sent"] = stats.bytes_sent;
  node["round_trip_us"] = stats.round_trip.count();
  return node;
}

std::string nodes_document(Role role, const std::string& name, json::array peers) {
  std::sort(peers.begin(), peers.end(), [](const json::value& a, const json::value& b) {
    return a.at("name").as_string() < b.at("name").as_string();
  });
  json::object body;
  body["role"] = std::string(rp::node::name(role));
  body["name"] = name;
  body["nodes"] = std::move(peers);
  return json::serialize(body);
}

}  // namespace rp::node
