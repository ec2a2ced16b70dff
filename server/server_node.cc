#include "server/server_node.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "node/event_routes.h"
#include "node/nodes_page.h"
#include "node/observed_calls.h"
#include "node/remote_target.h"
#include "node/runtime.h"
#include "rest/address.h"
#include "server/client_lookup.h"
#include "server/gather.h"
#include "server/pipe_server.h"
#include "server/registry.h"
#include "server/relay.h"

namespace rp::server {
namespace {

/// The thin end of a server node: the pipes it accepts, and its /client/ routes.
class ServerNode final : public node::NodeEnd {
 public:
  explicit ServerNode(node::Runtime& runtime)
      : runtime_(runtime),
        pipes_(runtime, registry_),
        lookup_(registry_, runtime.waiting(), runtime.threads().front()->context(),
                runtime.config().resolve_timeout),
        gather_(runtime.threads().front()->context(),
                [this](const std::string& name) { return lookup_.client(name); },
                {.timeout = runtime.config().gather_timeout,
                 .request_bytes_max = runtime.config().body_bytes_max}),
        everybody_(*this),
        relay_({.own = runtime.handlers(),
                .lookup = lookup_,
                .names = [this] { return clients(); },
                .gather = gather_,
                .policy = runtime.policy(),
                .metrics = runtime.metrics()}) {
    runtime.answer_pipes_with(relay_);
  }

  void add_routes(rest::Router& router) override {
    node::add_event_route(
        router, "/client/",
        [this](const std::shared_ptr<rest::Exchange>& exchange, rest::EventAddress address) {
          serve_client(exchange, std::move(address));
        });
  }

  void list_nodes(std::function<void(boost::json::array)> done) override {
    struct Listing {
      std::mutex mutex;
      boost::json::array nodes;
    };
    auto listing = std::make_shared<Listing>();
    pipes_.for_each_pipe(
        [listing](pipe::Pipe& pipe) {
          boost::json::object node = node::describe(pipe);
          const std::lock_guard lock(listing->mutex);
          listing->nodes.push_back(std::move(node));
        },
        [listing, done = std::move(done)] { done(std::move(listing->nodes)); });
  }

  std::string start() override { return "pipe=" + pipes_.start(); }
  void identity_changed() override { pipes_.cut_revoked(); }
  void begin_drain() override { pipes_.begin_drain(); }
  void finish_drain(pipe::Clock::time_point deadline) override { pipes_.finish_drain(deadline); }
  void release() override { pipes_.release(); }

 private:
  /// All clients, as the server's own programs may ask them.
  class Everybody final : public pipe::EventTarget {
   public:
    explicit Everybody(ServerNode& server) : server_(server) {}

    std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                              const pipe::Origin& /*origin*/,
                                              std::shared_ptr<pipe::ReplySink>&& sink) override {
      return server_.gather_.submit(server_.clients(), std::move(event), std::move(body),
                                    std::move(sink));
    }

   private:
    ServerNode& server_;
  };

  /// Who can be asked: clients that are connected, and those whose session waits for another link.
  std::vector<std::string> clients() const {
    std::vector<std::string> names = pipes_.clients();
    std::erase_if(names, [this](const std::string& name) { return !lookup_.knows(name); });
    return names;
  }

  void serve_client(const std::shared_ptr<rest::Exchange>& exchange, rest::EventAddress address) {
    if (address.host == node::kAllClients) return serve_all(exchange, std::move(address));
    const auto client = lookup_.target(address.host);
    node::ObservedPeer observed(*client, runtime_.instruments());
    runtime_.gateway().serve(exchange, std::move(address), observed);
  }

  void serve_all(const std::shared_ptr<rest::Exchange>& exchange, rest::EventAddress address) {
    node::GatherTarget timed(everybody_, exchange->request(), runtime_.config().gather_timeout);
    node::ObservedPeer observed(timed, runtime_.instruments());
    runtime_.gateway().serve(exchange, std::move(address), observed);
  }

  node::Runtime& runtime_;
  Registry registry_;
  PipeServer pipes_;
  ClientLookup lookup_;
  Gather gather_;
  Everybody everybody_;
  Relay relay_;
};

}  // namespace

int run(const node::Config& config) {
  node::Runtime runtime(config);
  ServerNode server(runtime);
  return runtime.run(server);
}

}  // namespace rp::server
