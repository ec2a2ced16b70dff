#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "node/config.h"
#include "node/metrics.h"
#include "node/statsd.h"

namespace rp::node {

/// What happens on a node, each as one call: it moves the Prometheus series and sends the statsd
/// metrics that the reference sends at that moment, with the reference's names.
///
/// All members are safe from any thread and return quickly. Call them in the order of the events.
class Instruments {
 public:
  using Duration = std::chrono::nanoseconds;

  /// Method names that get series of their own; further ones are counted as "other". Names come
  /// from registered handlers only, so the bound is a second line of defence.
  static constexpr std::size_t kMethodsMax = 512;

  /// Both arguments outlive this object.
  Instruments(Role role, Registry& registry, Statsd& statsd);
  Instruments(const Instruments&) = delete;
  Instruments& operator=(const Instruments&) = delete;

  // The client's connection. An attempt ends in exactly one of connect_succeeded, connect_failed.
  void connect_started();
  void connect_succeeded(Duration took);
  void connect_failed();
  void pipe_broken();  ///< an established pipe ended by an error, not by an orderly goodbye

  // Requests that this node starts. On a client a heartbeat counts as one, as in the reference.
  void call_started();
  void call_finished(Duration took, bool ok);  ///< ok: a reply arrived, whatever its code
  void heartbeat_started();
  void heartbeat_answered(Duration round_trip);

  // Requests that a peer sent to this node; events and heartbeats. For one event the order is
  // message_received, handler_started, handler_finished, message_handled; the middle two only when
  // a handler of that name exists.
  void message_received();
  void message_handled(Duration took);
  void handler_started(std::string_view method);  ///< for example "get_time"
  void handler_finished(std::string_view method, Duration took, bool ok);  ///< ok: did not throw

 private:
  struct Method {
    std::string tick;  // statsd names, made once
    std::string timing;
    Counter& failures;
    Histogram& seconds;
  };
  Method& method(std::string_view name);
  void started_request();
  void finished_request(Duration took);

  const Role role_;
  Registry& registry_;
  Statsd& statsd_;
  Counter& connect_attempts_;
  Counter& connects_;
  Counter& connect_failures_;
  Counter& pipes_broken_;
  Histogram& connect_seconds_;
  Histogram& heartbeat_seconds_;
  Counter& calls_;
  Counter& call_failures_;
  Histogram& call_seconds_;
  Counter& messages_received_;
  Histogram& message_seconds_;

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::shared_mutex methods_mutex_;
  std::unordered_map<std::string, std::unique_ptr<Method>, Hash, std::equal_to<>> methods_;
};

}  // namespace rp::node
