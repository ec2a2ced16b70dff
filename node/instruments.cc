#include "node/instruments.h"

#include <mutex>

namespace rp::node {
namespace {

// The statsd names of the Python reference. "connect.heartbeat" is about connecting, in
// spite of the word.
constexpr std::string_view kConnectNew = "client.connect.new.tick";
constexpr std::string_view kConnectOk = "client.connect.heartbeat.success.tick";
constexpr std::string_view kConnectFailed = "client.connect.heartbeat.fail.tick";
constexpr std::string_view kConnectTiming = "client.connect.heartbeat.timing";
constexpr std::string_view kConnected = "client.connect.connected.tick";
constexpr std::string_view kBroken = "client.connect.broken.tick";
constexpr std::string_view kSend = "message.send.tick";
constexpr std::string_view kSendTiming = "message.send.timing";
constexpr std::string_view kReceive = "message.receive.tick";
constexpr std::string_view kReceiveTiming = "message.receive.handle.timing";
constexpr std::string_view kHandlerPrefix = "message.received.handle.";

constexpr std::size_t kMethodBytesMax = 96;  // leaves room for prefix and suffix in a statsd name

}  // namespace

Instruments::Instruments(Role role, Registry& registry, Statsd& statsd)
    : role_(role),
      registry_(registry),
      statsd_(statsd),
      connect_attempts_(registry.counter("restpipe_connect_attempts_total",
                                         "Attempts of this node to connect to a server.")),
      connects_(
          registry.counter("restpipe_connects_total", "Attempts that ended with a working pipe.")),
      connect_failures_(
          registry.counter("restpipe_connect_failures_total", "Attempts that failed.")),
      pipes_broken_(
          registry.counter("restpipe_pipes_broken_total", "Working pipes that ended by an error.")),
      connect_seconds_(registry.histogram("restpipe_connect_seconds",
                                          "Time from the start of an attempt to a working pipe.")),
      heartbeat_seconds_(registry.histogram("restpipe_heartbeat_round_trip_seconds",
                                            "Time from a heartbeat to its answer.")),
      calls_(registry.counter("restpipe_calls_total", "Events that this node sent to a peer.")),
      call_failures_(registry.counter("restpipe_call_failures_total",
                                      "Events that ended without a reply from the peer.")),
      call_seconds_(registry.histogram("restpipe_call_seconds",
                                       "Time from sending an event to the end of its reply.")),
      messages_received_(registry.counter("restpipe_messages_received_total",
                                          "Events and heartbeats received from peers.")),
      message_seconds_(registry.histogram("restpipe_message_handle_seconds",
                                          "Time spent on a received message.")) {}

void Instruments::connect_started() {
  connect_attempts_.add();
  statsd_.tick(kConnectNew);
}

void Instruments::connect_succeeded(Duration took) {
  connects_.add();
  connect_seconds_.observe(took);
  statsd_.tick(kConnectOk);
  statsd_.timing(kConnectTiming, took);
  statsd_.tick(kConnected);
}

void Instruments::connect_failed() {
  connect_failures_.add();
  statsd_.tick(kBroken);
  statsd_.tick(kConnectFailed);
}

void Instruments::pipe_broken() {
  pipes_broken_.add();
  statsd_.tick(kBroken);
}

void Instruments::call_started() {
  calls_.add();
  started_request();
}

void Instruments::call_finished(Duration took, bool ok) {
  if (!ok) {
    call_failures_.add();
    return;
  }
  call_seconds_.observe(took);
  finished_request(took);
}

void Instruments::heartbeat_started() { started_request(); }

void Instruments::heartbeat_answered(Duration round_trip) {
  heartbeat_seconds_.observe(round_trip);
  if (role_ == Role::client) statsd_.timing(kConnectTiming, round_trip);
  finished_request(round_trip);
}

void Instruments::started_request() {
  if (role_ == Role::client) statsd_.tick(kSend);
}

void Instruments::finished_request(Duration took) {
  if (role_ == Role::client) statsd_.timing(kSendTiming, took);
}

void Instruments::message_received() {
  messages_received_.add();
  statsd_.tick(kReceive);
}

void Instruments::message_handled(Duration took) {
  message_seconds_.observe(took);
  statsd_.timing(kReceiveTiming, took);
}

void Instruments::handler_started(std::string_view name) { statsd_.tick(method(name).tick); }

void Instruments::handler_finished(std::string_view name, Duration took, bool ok) {
  Method& m = method(name);
  m.seconds.observe(took);
  if (!ok) m.failures.add();
  statsd_.timing(m.timing, took);
}

Instruments::Method& Instruments::method(std::string_view name) {
  {
    const std::shared_lock lock(methods_mutex_);
    if (const auto found = methods_.find(name); found != methods_.end()) return *found->second;
  }
  const std::unique_lock lock(methods_mutex_);
  const std::string key(methods_.size() < kMethodsMax ? name : "other");
  auto& slot = methods_[key];
  if (!slot) {
    const std::string statsd_name =
        std::string(kHandlerPrefix) + Statsd::sanitised(key, kMethodBytesMax);
    const Labels labels{{"method", key}};
    slot = std::make_unique<Method>(Method{
        statsd_name + ".tick", statsd_name + ".timing",
        registry_.counter("restpipe_handler_failures_total", "Calls whose handler failed.", labels),
        registry_.histogram("restpipe_handler_seconds", "Time that handlers took.", labels)});
  }
  return *slot;
}

}  // namespace rp::node
