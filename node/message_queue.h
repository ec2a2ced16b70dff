#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "handlers/dispatcher.h"
#include "handlers/linger/linger_target.h"
#include "node/config.h"
#include "node/health.h"
#include "node/metrics.h"
#include "queue/engine.h"
#include "rest/event_gateway.h"
#include "rest/router.h"

namespace rp::node {

/// The node's message engine and its HTTP API: at the root of the front-end for local programs, and
/// as the nouns `channels`, `topics`, `messages` and `stats` for peers. Nothing at all where the
/// setting `queue` is false. Outlives the dispatcher that it is mounted on, and its calls.
class MessageQueue final {
 public:
  /// Opens the engine and mounts its API. `dispatcher` and `metrics` outlive this object's use of
  /// them. Throws StartupError.
  MessageQueue(const Config& config, handlers::Dispatcher& dispatcher, Registry& metrics);
  ~MessageQueue();
  MessageQueue(const MessageQueue&) = delete;
  MessageQueue& operator=(const MessageQueue&) = delete;

  /// `gateway` outlives the router.
  void add_routes(rest::Router& router, const rest::EventGateway& gateway);

  /// Sets and clears what the store's state means for /readyz, and asks for fresh numbers.
  void refresh(Health& health);

  /// Requests that wait for messages are answered now; none waits any more.
  void end_waits();
  /// Once the dispatcher has ended its calls: what was begun becomes durable, then the store is
  /// closed. Idempotent.
  void close();

 private:
  /// The engine's numbers as they were at the last refresh(), which completions may outlive.
  struct Numbers {
    std::mutex mutex;
    queue::EngineStats stats;
  };
  void open(const Config& config);
  void export_metrics(Registry& metrics);
  void serve(const std::shared_ptr<rest::Exchange>& exchange,
             const rest::EventGateway& gateway) const;

  handlers::Dispatcher& dispatcher_;
  const queue::SystemClock clock_{};
  std::unique_ptr<queue::Engine> engine_;  // none where there is no queue; outlives face_
  std::shared_ptr<handlers::linger::LingerTarget> face_;
  const std::shared_ptr<Numbers> numbers_ = std::make_shared<Numbers>();
  std::vector<Registry::Callback> exported_;
};

}  // namespace rp::node
