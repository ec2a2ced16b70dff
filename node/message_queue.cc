#include "node/message_queue.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <sys/stat.h>
#include <utility>

#include "handlers/linger/message_options.h"
#include "handlers/linger/openapi.h"
#include "queue/rocks_store.h"
#include "rest/address.h"
#include "rest/problem.h"

namespace rp::node {
namespace {

using handlers::linger::Answer;
using handlers::linger::LingerTarget;
using Mode = queue::EngineHealth::Mode;

constexpr std::string_view kReadOnly = "message store is read-only";
constexpr std::string_view kDiskFull = "message store has no space";

// What messages in memory may hold when the operator sets no limit.
constexpr std::uint64_t kMemoryBytesMax = std::uint64_t{1024} * 1024 * 1024;
// What they may need with all that belongs to them: a small message is more of that than body.
constexpr std::uint64_t kMemoryPerBody = 2;

queue::EngineOptions engine_options(const Config& config) {
  queue::EngineOptions options;
  options.body_bytes_max = handlers::linger::kMessageBytesMax;
  options.channel_messages_max = config.queue_messages_max;
  options.channel_body_bytes_max = config.queue_channel_bytes_max;
  options.body_bytes_total_max = config.queue_bytes_max;
  if (options.body_bytes_total_max == 0 && config.data_dir.empty()) {
    options.body_bytes_total_max = kMemoryBytesMax;
  }
  options.memory_bytes_max = kMemoryPerBody * options.body_bytes_total_max;
  return options;
}

/// Where the store is; makes the data directory, which nobody else may read.
std::string store_directory(const std::filesystem::path& data) {
  if (::mkdir(data.c_str(), 0700) != 0 && errno != EEXIST) {
    throw StartupError(ExitCode::failure, "data directory " + data.string() +
                                              " cannot be made: " + std::strerror(errno));
  }
  return (data / "queue").string();
}

template <class T>
T opened(queue::Result<T> result) {
  if (!result) throw StartupError(ExitCode::failure, "message store: " + result.error().detail);
  return std::move(*result);
}

rest::Response to_response(Answer answer) {
  rest::Response response;
  response.head.status = answer.head.http_status;
  response.head.content_type = std::move(answer.head.content_type);
  for (auto& [name, value] : answer.head.headers) {
    if (name == pipe::kReasonHeader) {
      response.head.reason = std::move(value);
    } else {
      response.head.headers.push_back({std::move(name), std::move(value)});
    }
  }
  response.body = std::move(answer.body);
  return response;
}

}  // namespace

MessageQueue::MessageQueue(const Config& config, handlers::Dispatcher& dispatcher,
                           Registry& metrics)
    : dispatcher_(dispatcher) {
  if (!config.queue) return;
  open(config);
  try {
    for (const auto noun : LingerTarget::kNouns) dispatcher.mount(noun, face_);
  } catch (const std::invalid_argument& e) {
    throw StartupError(ExitCode::configuration, std::string("the message queue's noun ") +
                                                    e.what() + "; rename it, or set queue = false");
  }
  export_metrics(metrics);
}

MessageQueue::~MessageQueue() { close(); }

void MessageQueue::open(const Config& config) {
  const auto options = engine_options(config);
  handlers::linger::LingerOptions face_options;
  face_options.body_bytes_max = config.body_bytes_max;
  if (config.data_dir.empty()) {
    engine_ = opened(queue::Engine::open_in_memory(options, clock_));
  } else {
    face_options.db_file = store_directory(config.data_dir);
    auto store = opened(queue::open_rocks_store({.directory = face_options.db_file}));
    engine_ = opened(queue::Engine::open(std::move(store), options, clock_));
  }
  face_ = std::make_shared<LingerTarget>(*engine_, std::move(face_options));
}

void MessageQueue::add_routes(rest::Router& router, const rest::EventGateway& gateway) {
  if (!engine_) return;
  router.exact("/", {}, [this](std::shared_ptr<rest::Exchange> exchange) {
    const bool reads = exchange->request().method() == "GET";
    exchange->respond(to_response(reads ? face_->welcome() : face_->no_method("GET")));
  });
  router.exact("/openapi.json", {"GET"}, [](std::shared_ptr<rest::Exchange> exchange) {
    rest::Response response;
    response.head.content_type = "application/json";
    response.body = handlers::linger::openapi_document();
    exchange->respond(std::move(response));
  });
  const auto serve_event = [this, &gateway](std::shared_ptr<rest::Exchange> exchange) {
    serve(exchange, gateway);
  };
  for (const char* path : {"/channels", "/topics", "/stats"}) router.exact(path, {}, serve_event);
  for (const char* path : {"/channels/", "/topics/", "/messages/"}) {
    router.prefix(path, {}, serve_event);
  }
}

void MessageQueue::serve(const std::shared_ptr<rest::Exchange>& exchange,
                         const rest::EventGateway& gateway) const {
  const rest::Request& request = exchange->request();
  const auto path = request.encoded_path();
  if (!LingerTarget::has_path(path)) {
    return exchange->respond(rest::to_response(rest::not_found(), request));
  }
  if (auto answer = face_->refuse(path, request.method())) {
    return exchange->respond(to_response(std::move(*answer)));
  }
  rest::EventAddress address{rest::EventAddress::Side::server, "", request.path().substr(1)};
  gateway.serve(exchange, std::move(address), dispatcher_);
}

void MessageQueue::refresh(Health& health) {
  if (!engine_) return;
  const auto mode = engine_->health().mode;
  health.set(kReadOnly, mode == Mode::read_only);
  health.set(kDiskFull, mode == Mode::disk_full);
  engine_->stats([numbers = numbers_](queue::Result<queue::EngineStats> stats) {
    if (!stats) return;
    const std::lock_guard lock(numbers->mutex);
    numbers->stats = *stats;
  });
}

void MessageQueue::export_metrics(Registry& metrics) {
  const auto show = [&](std::string_view name, std::string_view help, Labels labels, auto read) {
    exported_.push_back(metrics.callback(name, help, std::move(labels), [this, read] {
      const std::lock_guard lock(numbers_->mutex);
      return static_cast<double>(read(numbers_->stats));
    }));
  };
  using Stats = queue::EngineStats;
  constexpr std::string_view kMessages = "restpipe_queue_messages";
  constexpr std::string_view kMessagesHelp = "Messages in all channels, by state.";
  show(kMessages, kMessagesHelp, {{"state", "ready"}}, [](const Stats& s) { return s.all.ready; });
  show(kMessages, kMessagesHelp, {{"state", "leased"}},
       [](const Stats& s) { return s.all.leased; });
  show(kMessages, kMessagesHelp, {{"state", "delayed"}},
       [](const Stats& s) { return s.all.delayed; });
  show("restpipe_queue_bytes", "Bytes of all messages' bodies.", {},
       [](const Stats& s) { return s.all.body_bytes; });
  show("restpipe_queue_store_bytes", "Bytes of the message store on disk.", {},
       [](const Stats& s) { return s.store_bytes; });
  show("restpipe_queue_channels", "Channels.", {}, [](const Stats& s) { return s.channels; });
  show("restpipe_queue_waiters", "Requests that wait for a message.", {},
       [](const Stats& s) { return s.all.waiters; });
  show("restpipe_queue_messages_added_total", "Messages taken in.", {},
       [](const Stats& s) { return s.counters.added; });
  show("restpipe_queue_messages_delivered_total", "Deliveries of messages.", {},
       [](const Stats& s) { return s.counters.delivered; });
  show("restpipe_queue_messages_acknowledged_total", "Messages deleted by their consumers.", {},
       [](const Stats& s) { return s.counters.acknowledged; });
  show("restpipe_queue_messages_refused_total", "Messages refused because of a limit.", {},
       [](const Stats& s) { return s.counters.refused; });
  show("restpipe_queue_messages_dead_total", "Messages moved to dead-letter channels.", {},
       [](const Stats& s) { return s.counters.dead_lettered; });
  exported_.push_back(metrics.callback(
      "restpipe_queue_damaged_total", "Stored records found damaged, and not served.", {},
      [this] { return static_cast<double>(engine_->health().damaged); }));
}

void MessageQueue::end_waits() {
  if (face_) face_->end_waits();
}

void MessageQueue::close() {
  if (!engine_) return;
  if (face_) face_->close();
  engine_->close();
}

}  // namespace rp::node
