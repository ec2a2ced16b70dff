#include "node/runtime.h"

#include <algorithm>
#include <cstdio>
#include <sys/resource.h>
#include <thread>
#include <utility>

#include "handlers/demo/builtin.h"
#include "node/nodes_page.h"
#include "node/process_metrics.h"
#include "node/secret.h"
#include "node/signals.h"
#include "pipe/log.h"

namespace rp::node {
namespace {

// A changed identity, CRL or policy is noticed within this time without a signal; RELIABILITY asks
// that a revoked pipe be cut within 60 s.
constexpr std::chrono::seconds kFilesPoll{5};

handlers::Role handler_role(Role role) {
  return role == Role::server ? handlers::Role::server : handlers::Role::client;
}

rest::GatewayOptions gateway_options(const Config& config) {
  rest::GatewayOptions options;
  options.call_timeout = config.call_timeout;
  options.slow_call = config.slow_call;
  options.forwarded_headers = config.forward_headers;
  options.own_authorization = !config.rest_token_file.empty();
  return options;
}

/// Pipes, browsers and files share one table of descriptors: use what the system allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void respond(rest::Exchange& exchange, int status, std::string content_type, std::string body) {
  rest::Response response;
  response.head.status = status;
  response.head.content_type = std::move(content_type);
  response.body = std::move(body);
  exchange.respond(std::move(response));
}

}  // namespace

std::string software_name() { return std::string("restpipe/") + RP_VERSION; }

Runtime::Runtime(const Config& config)
    : config_(config),
      log_(config_.log_format, config_.log_level),
      statsd_(config_.statsd),
      instruments_(config_.role, metrics_, statsd_),
      identity_(config_, metrics_),
      policy_(config_, metrics_),
      name_(config_.name.empty() ? identity_.name() : config_.name),
      dispatch_observer_(instruments_),
      dispatcher_({.workers = config_.worker_threads,
                   .queued_max = config_.worker_queue_max,
                   .body_bytes_max = config_.body_bytes_max,
                   .idempotency_window =
                       std::chrono::ceil<std::chrono::seconds>(config_.idempotency_window),
                   .idempotency_bytes_max = config_.idempotency_bytes_max},
                  &dispatch_observer_),
      plugins_(handler_role(config_.role), name_, dispatcher_),
      logged_handlers_(dispatcher_),
      guarded_handlers_(logged_handlers_, policy_,
                        config_.role == Role::server ? "" : identity_.name()),
      gateway_(gateway_options(config_)) {
  disable_core_dumps();
  raise_descriptor_limit();
  for (const std::string& warning : config_.warnings) log(LogLevel::warning, "config", warning);
  load_plugins();
  local_handlers_ = std::make_unique<LocalHandlers>(config_, name_, dispatcher_);
  queue_ = std::make_unique<MessageQueue>(config_, dispatcher_, metrics_);
  for (std::size_t i = 0; i < config_.threads; ++i) {
    threads_.push_back(std::make_shared<pipe::IoThread>());
  }
  waiting_ = WaitingCalls::create(threads_.front()->context(), {.wait = config_.connection_wait});
}

Runtime::~Runtime() = default;

void Runtime::load_plugins() {
  try {
    if (!config_.isolate) {
      for (const auto& path : config_.handlers) plugins_.load(path.string());
    }
    isolated_ = std::make_unique<IsolatedHandlers>(config_, name_, dispatcher_, plugins_, metrics_);
    if (config_.handlers.empty() && config_.isolated.empty() && config_.exec.empty()) {
      plugins_.load_builtin("demo", &handlers::init_demo);
    }
  } catch (const handlers::PluginRefused& e) {
    throw StartupError(ExitCode::plugin_refused, e.what());
  }
}

pipe::Pipe::Options Runtime::pipe_options() const {
  pipe::Pipe::Options options;
  options.self.node = name_;
  options.self.software = software_name();
  options.self.limits.calls_in_flight_max = static_cast<std::uint32_t>(config_.calls_in_flight_max);
  options.self.limits.session_window_bytes =
      static_cast<std::uint32_t>(config_.session_window_bytes);
  options.self.heartbeat.interval = config_.heartbeat_interval;
  options.self.heartbeat.timeout = config_.heartbeat_timeout;
  options.handshake_timeout = config_.handshake_timeout;
  options.session_grace = config_.session_grace;
  options.return_wait = config_.return_wait;
  return options;
}

rest::ServerOptions Runtime::rest_options() const {
  rest::ServerOptions options;
  options.endpoints = config_.rest;
  options.unix_mode = config_.rest_socket_mode;
  options.limits.body_bytes_max = config_.body_bytes_max;
  options.limits.head_bytes_max = config_.rest_header_bytes_max;
  options.limits.connections_max = config_.rest_connections_max;
  options.limits.head_timeout = config_.rest_header_timeout;
  options.limits.idle_timeout = config_.rest_idle_timeout;
  options.limits.body_pause = config_.rest_idle_timeout;
  options.guard.allowed_hosts = config_.allow_hosts;
  options.guard.allowed_origins = config_.allow_origins;
  options.guard.page_headers = config_.forward_headers;
  if (!config_.rest_token_file.empty()) {
    options.guard.bearer_token = read_secret(config_.rest_token_file);
  }
  return options;
}

std::vector<std::shared_ptr<pipe::IoThread>> Runtime::rest_threads() const {
  const auto count = static_cast<std::ptrdiff_t>((threads_.size() + 1) / 2);
  return {threads_.begin(), threads_.begin() + count};
}

void Runtime::add_common_routes(rest::Router& router, NodeEnd& end) {
  router.exact("/healthz", {"GET"}, [](std::shared_ptr<rest::Exchange> exchange) {
    respond(*exchange, 200, "application/json", Health::health_json());
  });
  router.exact("/readyz", {"GET"}, [this](std::shared_ptr<rest::Exchange> exchange) {
    queue_->refresh(health_);
    Health::Readiness readiness = health_.readiness();
    respond(*exchange, readiness.ready ? 200 : 503, "application/json", std::move(readiness.json));
  });
  router.exact("/metrics", {"GET"}, [this](std::shared_ptr<rest::Exchange> exchange) {
    respond(*exchange, 200, "text/plain; version=0.0.4; charset=utf-8", metrics_.prometheus_text());
  });
  router.exact("/nodes", {"GET"}, [this, &end](std::shared_ptr<rest::Exchange> exchange) {
    const auto list = [this, &end](std::function<void(std::string)> done) {
      end.list_nodes([this, done = std::move(done)](boost::json::array nodes) {
        done(nodes_document(config_.role, name_, std::move(nodes)));
      });
    };
    if (NodeFeed::is_wanted(exchange->request())) return feed_.watch(std::move(exchange), list);
    list([exchange = std::move(exchange)](std::string document) {
      respond(*exchange, 200, "application/json", std::move(document));
    });
  });
}

int Runtime::run(NodeEnd& end) {
  // Draining waits, and the main thread must stay free for a second signal.
  std::jthread draining;
  Signals signals(main_.get_executor(),
                  {.drain = [&] { draining = std::jthread([this, &end] { drain(end); }); },
                   .reload = [this, &end] { reload(end); }});
  const auto router = std::make_shared<rest::Router>();
  add_common_routes(*router, end);
  end.add_routes(*router);
  queue_->add_routes(*router, gateway_);
  rest::ServerOptions options = rest_options();
  options.streams_body = [router](const rest::Request& r) { return router->streams_body(r); };
  rest_ = std::make_unique<rest::Server>(
      std::move(options), [router](const std::shared_ptr<rest::Exchange>& e) { (*router)(e); },
      rest_threads());

  const std::string ready = end.start();
  std::string endpoints;
  try {
    for (const rest::Endpoint& endpoint : rest_->start()) {
      endpoints += (endpoints.empty() ? "" : ",") + rest::to_string(endpoint);
    }
  } catch (const rest::ListenError& e) {
    throw StartupError(ExitCode::cannot_listen, e.what());
  }
  export_metrics();
  start_threads();
  health_.set(Health::kStarting, false);
  watch_files(end);

  std::printf("restpipe %s ready: name=%s %s rest=%s\n",
              std::string(rp::node::name(config_.role)).c_str(), name_.c_str(), ready.c_str(),
              endpoints.c_str());
  std::fflush(stdout);
  std::string plugins;
  for (const auto& plugin : plugins_.names()) plugins += (plugins.empty() ? "" : ",") + plugin;
  for (const auto& plugin : isolated_->names()) plugins += (plugins.empty() ? "" : ",") + plugin;
  log(LogLevel::info, "node", "Node is up",
      {{"name", name_}, {"rest", endpoints}, {"plugins", plugins}});

  main_.run();
  draining.join();
  return stop(end);
}

void Runtime::start_threads() {
  try {
    for (auto& thread : threads_) thread->start();
  } catch (...) {
    // The system has no more of them. What the others do refers to what is about to go.
    for (auto& thread : threads_) thread->stop();
    throw;
  }
}

void Runtime::watch_files(NodeEnd& end) {
  files_timer_.expires_after(kFilesPoll);
  files_timer_.async_wait([this, &end](boost::system::error_code ec) {
    if (ec) return;
    if (identity_.refresh()) end.identity_changed();
    policy_.refresh();
    queue_->refresh(health_);
    watch_files(end);
  });
}

void Runtime::reload(NodeEnd& end) {
  if (identity_.refresh()) end.identity_changed();
  policy_.refresh();
  try {
    const Config fresh = reload_config(config_);
    set_log_level(fresh.log_level);
    isolated_->set_log_level(fresh.log_level);
    for (const std::string& key : keys_needing_restart(config_, fresh)) {
      log(LogLevel::warning, "node", "A changed setting takes effect at the next start",
          {{"key", key}});
    }
    log(LogLevel::info, "node", "Configuration and identity were read again");
  } catch (const StartupError& e) {
    log(LogLevel::error, "node", "The changed configuration is not usable; the last one stays",
        {{"reason", e.what()}});
  }
}

void Runtime::drain(NodeEnd& end) {
  log(LogLevel::info, "node", "Draining");
  const auto deadline = pipe::Clock::now() + config_.drain_timeout;
  health_.set(Health::kDraining, true);
  end.begin_drain();
  feed_.close();
  queue_->end_waits();
  waiting_->close(pipe::Errc::draining);
  const bool clean = rest_->drain(config_.drain_timeout);
  if (!clean) log(LogLevel::warning, "node", "Some requests were cut at the end of the drain");
  end.finish_drain(deadline);
  main_.stop();
}

int Runtime::stop(NodeEnd& end) {
  rest_->stop();
  waiting_->close(pipe::Errc::stopped);
  for (auto& thread : threads_) thread->stop();
  const std::size_t stuck = dispatcher_.stop(std::chrono::milliseconds(0));
  queue_->close();
  local_handlers_->stop();
  isolated_->stop();
  plugins_.stop(std::chrono::seconds(1), stuck > 0);
  if (stuck > 0) {
    // Their threads cannot be joined, so the ordinary way out would wait for them for ever.
    log(LogLevel::warning, "node", "Handlers did not return; leaving them behind",
        {{"threads", stuck}});
    log_.flush();
    std::fflush(nullptr);
    std::_Exit(static_cast<int>(ExitCode::ok));
  }
  // What the threads still hold refers to the node's end, which lives longer than this call.
  rest_.reset();
  end.release();
  threads_.clear();
  log(LogLevel::info, "node", "Node is down");
  return static_cast<int>(ExitCode::ok);
}

void Runtime::export_metrics() {
  exported_ = export_process(metrics_, log_, health_);
  const rest::Stats& stats = rest_->stats();
  const auto show = [this](std::string_view name, std::string_view help,
                           const std::atomic<std::uint64_t>& value, Labels labels = {}) {
    exported_.push_back(metrics_.callback(name, help, std::move(labels), [&value] {
      return static_cast<double>(value.load(std::memory_order_relaxed));
    }));
  };
  show("restpipe_rest_connections", "Open HTTP connections.", stats.connections_open);
  show("restpipe_rest_connections_accepted_total", "HTTP connections accepted.",
       stats.connections_accepted);
  show("restpipe_rest_connections_refused_total", "HTTP connections over the cap.",
       stats.connections_refused);
  show("restpipe_rest_accept_errors_total", "Failed accepts, for example out of descriptors.",
       stats.accept_errors);
  show("restpipe_rest_requests_total", "Complete requests passed to a route.", stats.requests);
  show("restpipe_rest_requests_in_flight", "Requests not yet answered.", stats.requests_in_flight);
  show("restpipe_rest_requests_malformed_total", "Requests that broke HTTP framing.",
       stats.requests_malformed);
  show("restpipe_rest_requests_refused_total", "Requests refused by Host, Origin or token rules.",
       stats.requests_refused);
  show("restpipe_rest_requests_timed_out_total", "Requests that came too slowly.",
       stats.requests_timed_out);
  show("restpipe_rest_clients_left_total", "Clients that left before their answer.",
       stats.clients_left);
  show("restpipe_rest_received_bytes_total", "Bytes received by HTTP.", stats.bytes_received);
  show("restpipe_rest_sent_bytes_total", "Bytes sent by HTTP.", stats.bytes_sent);
  for (std::size_t c = 1; c < stats.responses.size(); ++c) {
    show("restpipe_rest_responses_total", "HTTP responses by class.", stats.responses[c],
         {{"class", std::to_string(c) + "xx"}});
  }
  exported_.push_back(metrics_.callback("restpipe_calls_waiting_for_a_pipe",
                                        "Calls whose peer has no pipe at the moment.", {},
                                        [this] { return static_cast<double>(waiting_->size()); }));
  exported_.push_back(metrics_.callback(
      "restpipe_handler_calls_in_flight", "Calls that local handlers have not answered.", {},
      [this] { return static_cast<double>(dispatcher_.in_flight()); }));
}

}  // namespace rp::node
