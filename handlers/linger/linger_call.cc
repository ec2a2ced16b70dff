#include "handlers/linger/linger_call.h"

#include <algorithm>
#include <array>

#include "handlers/linger/message_options.h"
#include "pipe/answer_by.h"
#include "pipe/percent.h"

namespace rp::handlers::linger {
namespace {

using queue::Milliseconds;

constexpr std::chrono::seconds kLongPoll{120};  // Linger's

// The longest message that a form can carry comes in less, and that much is read in a few
// milliseconds.
constexpr std::size_t kLongBodyBytes = std::size_t{1} << 20;

// Linger ignores parameters that it does not know, so its own requests may have any.
constexpr std::string_view kAnything = "*";

/// "channels//jobs" is "channels/jobs": in events arguments stand behind "//".
std::string path_of(std::string_view noun) {
  std::string path = "/" + std::string(noun);
  const auto divider = path.find("//", 1);
  if (divider != std::string::npos && divider == path.find('/', 1)) path.erase(divider, 1);
  return path;
}

}  // namespace

LingerCall::LingerCall(std::shared_ptr<Face> face, pipe::Event event, std::string body,
                       std::shared_ptr<pipe::ReplySink> sink)
    : face_(std::move(face)),
      event_(std::move(event)),
      body_(std::move(body)),
      sink_(std::move(sink)) {}

LingerCall::~LingerCall() {
  face_->gathered.give_back(gathered_bytes_);
  if (waits_) face_->remove_waiting(*this);
}

void LingerCall::launch() {
  if (!event_.body_follows) run();
}

void LingerCall::body_data(std::string piece) {
  std::shared_ptr<pipe::ReplySink> sink;
  {
    const std::lock_guard lock(mutex_);
    sink = sink_;
  }
  if (!sink) return;
  const bool fits = piece.size() <= face_->options.body_bytes_max - body_.size();
  if (fits && face_->gathered.try_take(piece.size())) {
    gathered_bytes_ += piece.size();
    body_ += piece;
    return sink->body_consumed(piece.size());
  }
  if (fits) {
    fail({pipe::Errc::overloaded, "the queue's requests hold too many bytes; try again later"});
  } else {
    fail({pipe::Errc::body_too_large, "a request's body has at most " +
                                          std::to_string(face_->options.body_bytes_max) +
                                          " bytes"});
  }
}

void LingerCall::body_end() {
  if (!is_over()) run();
}

void LingerCall::run() {
  if (body_.size() < kLongBodyBytes) return run_here();
  const bool taken = face_->long_requests.try_post([self = shared_from_this()] {
    if (!self->is_over()) self->run_here();
  });
  if (!taken) fail({pipe::Errc::overloaded, "too many long requests wait for the queue"});
}

void LingerCall::run_here() {
  auto route = find_its_route();
  if (!route) return;
  route_ = std::move(*route);
  const auto* const operation = its_operation();
  if (operation == nullptr) {
    answer(face_->answers.method_not_allowed(route_.methods));
  } else if (read_parameters(*operation)) {
    (this->*operation->handle)();
  }
}

std::optional<Route> LingerCall::find_its_route() {
  const auto encoded = header(pipe::kEncodedNounHeader);
  const bool is_encoded = !encoded.empty();
  // Who may do what was decided by the noun, so nothing else may be meant.
  if (is_encoded && pipe::percent_decoded(encoded) != event_.noun) {
    refuse("The encoded path is another one.");
    return std::nullopt;
  }
  auto found = is_encoded ? find_route(path_of(encoded), Spelling::encoded)
                          : find_route(path_of(event_.noun), Spelling::decoded);
  if (auto* const route = std::get_if<Route>(&found)) return std::move(*route);
  if (std::get<NoRoute>(found) == NoRoute::bad_name) {
    refuse("Invalid name in the path.");
  } else {
    answer(face_->answers.not_found());
  }
  return std::nullopt;
}

bool LingerCall::read_parameters(const Operation& operation) {
  const bool of_items =
      operation.resource == Resource::batch || operation.resource == Resource::ack;
  const bool has_form = (event_.verb == "post" || event_.verb == "put") && !of_items;
  auto parameters =
      Parameters::read(event_.query, content_type(), has_form ? body_ : std::string_view());
  if (!parameters) {
    refuse("Invalid unicode in a parameter.");
    return false;
  }
  parameters_ = std::move(*parameters);
  if (operation.accepts == kAnything) return true;
  const auto wrong = refuse_others(parameters_, operation.accepts, "parameter");
  if (wrong) refuse(*wrong);
  return !wrong;
}

const LingerCall::Operation* LingerCall::its_operation() const {
  using Self = LingerCall;
  static constexpr std::array kOperations{
      Operation{Resource::channels, "get", &Self::list_channels, kAnything},
      Operation{Resource::channel, "get", &Self::take, kAnything},
      Operation{Resource::channel, "post", &Self::put, kAnything},
      Operation{Resource::channel, "delete", &Self::drain, kAnything},
      Operation{Resource::batch, "get", &Self::take_batch, "count nowait wait lease"},
      Operation{Resource::batch, "post", &Self::put_batch, ""},
      Operation{Resource::messages, "get", &Self::peek, "limit offset"},
      Operation{Resource::pause, "post", &Self::pause, ""},
      Operation{Resource::resume, "post", &Self::resume, ""},
      Operation{Resource::redrive, "post", &Self::redrive, "limit"},
      Operation{Resource::settings, "get", &Self::settings, ""},
      Operation{Resource::settings, "put", &Self::set_settings, kSettings},
      Operation{Resource::settings, "delete", &Self::reset_settings, ""},
      Operation{Resource::channel_stats, "get", &Self::channel_stats, kAnything},
      Operation{Resource::channel_topics, "get", &Self::channel_topics, kAnything},
      Operation{Resource::subscription, "put", &Self::subscribe, kAnything},
      Operation{Resource::subscription, "delete", &Self::unsubscribe, kAnything},
      Operation{Resource::topics, "get", &Self::list_topics, kAnything},
      Operation{Resource::topic, "post", &Self::publish, kAnything},
      Operation{Resource::topic_channels, "get", &Self::topic_channels, kAnything},
      Operation{Resource::ack, "post", &Self::ack_batch, ""},
      Operation{Resource::message, "delete", &Self::remove, kAnything},
      Operation{Resource::touch, "post", &Self::touch, kAnything},
      Operation{Resource::nack, "post", &Self::nack, "lease delay reject"},
      Operation{Resource::stats, "get", &Self::stats, kAnything},
  };
  if (header(pipe::kMethodHeader) == "HEAD") return nullptr;  // it would take a message, unseen
  const auto* const found =
      std::find_if(kOperations.begin(), kOperations.end(), [&](const Operation& operation) {
        return operation.resource == route_.resource && operation.verb == event_.verb;
      });
  return found == kOperations.end() ? nullptr : found;
}

std::string_view LingerCall::header(std::string_view name) const {
  for (const auto& header : event_.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

std::string_view LingerCall::content_type() const {
  const auto whole = header("content-type");
  return whole.empty() ? std::string_view(event_.content_type) : whole;
}

LingerCall::Content LingerCall::take_content() {
  if (const auto* const text = parameters_.find("msg")) return {*text, "text/plain"};
  const auto type = content_type();
  return {std::move(body_), type.empty() ? "text/plain" : std::string(type)};
}

bool LingerCall::is_over() const {
  const std::lock_guard lock(mutex_);
  return sink_ == nullptr;
}

std::shared_ptr<pipe::ReplySink> LingerCall::take_sink() {
  const std::lock_guard lock(mutex_);
  return std::exchange(sink_, nullptr);
}

bool LingerCall::answer(Answer answer) {
  const auto sink = take_sink();
  if (!sink) return false;
  sink->reply(std::move(answer.head), std::move(answer.body));
  return true;
}

void LingerCall::fail(pipe::Failure why) {
  if (const auto sink = take_sink()) sink->fail(std::move(why));
}

void LingerCall::cancel() {
  queue::Waiter waiter;
  std::shared_ptr<pipe::ReplySink> dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped = std::exchange(sink_, nullptr);
    waiter = waiter_;
  }
  if (dropped) waiter.cancel();
}

void LingerCall::stop_waiting() {
  queue::Waiter waiter;
  {
    const std::lock_guard lock(mutex_);
    waiter = waiter_;
  }
  waiter.cancel();  // on_taken() answers
}

std::optional<Milliseconds> LingerCall::time_to_wait() {
  const auto asked = read_seconds(parameters_, "wait", "time to wait");
  if (!asked) {
    refuse(asked.error());
    return std::nullopt;
  }
  if (parameters_.has("nowait") || !face_->may_wait) return Milliseconds(0);
  auto wait = asked->value_or(kLongPoll);
  if (event_.deadline != pipe::Clock::time_point::max()) {
    // Whoever bounds the call hears that nothing came, not that it took too long.
    const auto now = pipe::Clock::now();
    wait = std::min(std::chrono::floor<Milliseconds>(pipe::answer_by(event_.deadline, now) - now),
                    wait);
  }
  return wait;
}

void LingerCall::take_some(queue::TakeOptions options, std::function<Answer(Deliveries)> tell) {
  ++face_->gets;
  const auto wait = time_to_wait();
  if (!wait) return;
  options.wait = *wait;
  asked_at_ = pipe::Clock::now();
  auto waiter = face_->engine.take(
      route_.channel, options,
      [self = shared_from_this(), tell = std::move(tell)](queue::Result<Deliveries> taken) {
        self->on_taken(std::move(taken), tell);
      });
  if (*wait == Milliseconds(0)) return;
  bool left = false;
  {
    const std::lock_guard lock(mutex_);
    waiter_ = waiter;
    left = sink_ == nullptr;
    waits_ = !left;
  }
  if (left) {
    waiter.cancel();
  } else {
    face_->add_waiting(shared_from_this());
  }
}

void LingerCall::on_taken(queue::Result<Deliveries> taken,
                          const std::function<Answer(Deliveries)>& tell) {
  const bool stopped = !taken && taken.error().code == queue::Errc::cancelled;
  if (!taken && !stopped) {
    answer(face_->answers.failure(taken.error()));
    return;
  }
  if (stopped || taken->empty()) {
    answer(face_->answers.nothing_ready(route_.channel));
    return;
  }
  std::vector<queue::Lease> leases;
  const auto waited = pipe::Clock::now() - asked_at_;
  for (const auto& delivery : *taken) {
    leases.push_back(delivery.lease);
    if (delivery.message.age < waited) ++face_->handed_on;
  }
  if (!answer(tell(std::move(*taken)))) give_back(leases);
}

void LingerCall::give_back(const std::vector<queue::Lease>& leases) {
  face_->engine.nack(leases, {.undelivered = true}, [](const auto&) {});
}

}  // namespace rp::handlers::linger
