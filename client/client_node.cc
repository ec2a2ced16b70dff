#include "client/client_node.h"

#include <functional>
#include <memory>
#include <utility>

#include <boost/json.hpp>

#include "client/upstream.h"
#include "node/event_routes.h"
#include "node/nodes_page.h"
#include "node/observed_calls.h"
#include "node/remote_target.h"
#include "node/runtime.h"
#include "rest/address.h"

namespace rp::client {
namespace {

/// The thin end of a client node: its one pipe, and its /server/ routes.
class ClientNode final : public node::NodeEnd {
 public:
  explicit ClientNode(node::Runtime& runtime)
      : runtime_(runtime), upstream_(runtime), observed_(upstream_, runtime.instruments()) {}

  void add_routes(rest::Router& router) override {
    node::add_event_route(
        router, "/server/",
        [this](const std::shared_ptr<rest::Exchange>& exchange, rest::EventAddress address) {
          runtime_.gateway().serve(exchange, std::move(address), observed_);
        });
    node::add_event_route(
        router, "/client/",
        [this](const std::shared_ptr<rest::Exchange>& exchange, rest::EventAddress address) {
          serve_client(exchange, std::move(address));
        });
  }

  void list_nodes(std::function<void(boost::json::array)> done) override {
    upstream_.with_pipe([done = std::move(done)](const pipe::Pipe* pipe) {
      boost::json::array nodes;
      if (pipe) nodes.push_back(node::describe(*pipe));
      done(std::move(nodes));
    });
  }

  std::string start() override {
    upstream_.start();
    std::string servers;
    for (const node::HostPort& server : runtime_.config().servers) {
      servers += (servers.empty() ? "" : ",") + node::to_string(server);
    }
    return "server=" + servers;
  }
  void identity_changed() override { upstream_.cut_revoked(); }
  void begin_drain() override { upstream_.begin_drain(); }
  void finish_drain(pipe::Clock::time_point deadline) override { upstream_.finish_drain(deadline); }
  void release() override { upstream_.release(); }

 private:
  /// To another client, or all of them, by way of the server.
  void serve_client(const std::shared_ptr<rest::Exchange>& exchange, rest::EventAddress address) {
    // What fails before the server has passed it on is a matter of the server's pipe.
    address.side = rest::EventAddress::Side::server;
    node::RemoteTarget client(observed_, address.host);
    if (address.host != node::kAllClients) {
      return runtime_.gateway().serve(exchange, std::move(address), client);
    }
    node::GatherTarget all(client, exchange->request(), runtime_.config().gather_timeout);
    runtime_.gateway().serve(exchange, std::move(address), all);
  }

  node::Runtime& runtime_;
  Upstream upstream_;
  node::ObservedPeer observed_;
};

}  // namespace

int run(const node::Config& config) {
  node::Runtime runtime(config);
  ClientNode client(runtime);
  return runtime.run(client);
}

}  // namespace rp::client
