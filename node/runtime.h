#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/array.hpp>

#include "handlers/dispatcher.h"
#include "handlers/plugin_set.h"
#include "node/config.h"
#include "node/guarded_handlers.h"
#include "node/health.h"
#include "node/identity_keeper.h"
#include "node/instruments.h"
#include "node/isolated_handlers.h"
#include "node/local_handlers.h"
#include "node/logging.h"
#include "node/message_queue.h"
#include "node/metrics.h"
#include "node/node_feed.h"
#include "node/observed_calls.h"
#include "node/policy_keeper.h"
#include "node/statsd.h"
#include "node/waiting_calls.h"
#include "pipe/io_thread.h"
#include "pipe/pipe.h"
#include "rest/event_gateway.h"
#include "rest/server.h"

namespace rp::node {

class Runtime;

/// What makes a node a server or a client. The runtime calls it, on the main thread unless said
/// otherwise, in the order of these members.
class NodeEnd {
 public:
  virtual ~NodeEnd() = default;

  /// Adds the routes that only this kind of node has.
  virtual void add_routes(rest::Router& router) = 0;
  /// Hands the connected peers to `done`, each as describe() has it, in any order. From any thread;
  /// `done` runs on whichever thread has the last of them.
  virtual void list_nodes(std::function<void(boost::json::array)> done) = 0;
  /// Binds or begins to dial; throws StartupError. Returns what the ready line says of it, for
  /// example "pipe=0.0.0.0:1234".
  virtual std::string start() = 0;
  /// The identity's files have changed: cut who may no longer be connected.
  virtual void identity_changed() = 0;
  /// Take nothing new, let what is in flight finish.
  virtual void begin_drain() = 0;
  /// Waits for what is in flight, at most until `deadline`, then ends all pipes.
  virtual void finish_drain(pipe::Clock::time_point deadline) = 0;
  /// The I/O threads have stopped and their contexts are about to go: destroy every timer and
  /// socket that lives on one of them.
  virtual void release() = 0;
};

/// What both kinds of node are made of at run time, and the order in which it starts and ends.
///
///   Runtime runtime(config);             // identity, handlers, threads; throws StartupError
///   ServerNode end(runtime);
///   return runtime.run(end);             // until SIGTERM has drained it
class Runtime {
 public:
  explicit Runtime(const Config& config);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Serves until a signal ends it; returns the exit code. Throws StartupError.
  int run(NodeEnd& end);

  const Config& config() const { return config_; }
  /// The configured name, or else the certificate's.
  const std::string& name() const { return name_; }
  Registry& metrics() { return metrics_; }
  Instruments& instruments() { return instruments_; }
  Health& health() { return health_; }
  IdentityKeeper& identity() { return identity_; }
  handlers::PluginSet& plugins() { return plugins_; }
  const rest::EventGateway& gateway() const { return gateway_; }
  PolicyKeeper& policy() { return policy_; }
  /// Who watches /nodes hears of joins and leaves here.
  NodeFeed& feed() { return feed_; }
  /// What answers the peers of pipes: the local handlers as far as the policy allows, or what the
  /// node's end has put before them.
  pipe::EventTarget& handlers() { return *for_pipes_; }
  /// Before start(): `target`, which outlives the pipes, answers instead.
  void answer_pipes_with(pipe::EventTarget& target) { for_pipes_ = &target; }
  WaitingCalls& waiting() { return *waiting_; }

  /// At least one; the first also carries the timers of waiting calls.
  std::vector<std::shared_ptr<pipe::IoThread>>& threads() { return threads_; }
  boost::asio::io_context& main_context() { return main_; }

  /// Settings of every pipe of this node.
  pipe::Pipe::Options pipe_options() const;

 private:
  void load_plugins();
  void add_common_routes(rest::Router& router, NodeEnd& end);
  rest::ServerOptions rest_options() const;
  std::vector<std::shared_ptr<pipe::IoThread>> rest_threads() const;
  void start_threads();
  void watch_files(NodeEnd& end);
  void reload(NodeEnd& end);
  void drain(NodeEnd& end);
  void export_metrics();
  int stop(NodeEnd& end);

  const Config config_;
  LogWriter log_;
  Registry metrics_;
  Statsd statsd_;
  Instruments instruments_;
  Health health_;
  IdentityKeeper identity_;
  PolicyKeeper policy_;
  const std::string name_;

  InstrumentedDispatch dispatch_observer_;
  std::unique_ptr<LocalHandlers> local_handlers_;  // below the dispatcher that refers to it
  std::unique_ptr<IsolatedHandlers> isolated_;     // as well
  std::unique_ptr<MessageQueue> queue_;            // as well
  handlers::Dispatcher dispatcher_;
  handlers::PluginSet plugins_;
  LoggedHandlers logged_handlers_;
  GuardedHandlers guarded_handlers_;
  pipe::EventTarget* for_pipes_ = &guarded_handlers_;
  const rest::EventGateway gateway_;

  std::vector<std::shared_ptr<pipe::IoThread>> threads_;
  std::shared_ptr<WaitingCalls> waiting_;
  std::unique_ptr<rest::Server> rest_;
  std::vector<Registry::Callback> exported_;
  boost::asio::io_context main_{1};
  boost::asio::steady_timer files_timer_{main_};
  NodeFeed feed_{main_, {}};
};

/// "restpipe/VERSION", as HELLO and the version command have it.
std::string software_name();

}  // namespace rp::node
