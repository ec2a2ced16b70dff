#include "handlers/dispatcher.h"

#include <mutex>
#include <utility>

#include "handlers/call.h"
#include "handlers/exception_object.h"
#include "handlers/idempotency.h"
#include "handlers/keyed_call.h"
#include "handlers/live_calls.h"
#include "handlers/method_table.h"
#include "handlers/mounted_call.h"
#include "handlers/mounts.h"

namespace rp::handlers {
namespace {

// How long a handler has to return once its call was failed by stop().
constexpr std::chrono::seconds kReturnGrace{1};

/// What submit() is given.
struct Question {
  pipe::Event event;
  std::string body;
  pipe::Origin origin;
};

/// For events that are answered already.
class NoCall final : public pipe::CallControl {
 public:
  void cancel() override {}
  void consumed(std::size_t) override {}
};

}  // namespace

class Dispatcher::Core {
 public:
  Core(const DispatcherOptions& options, DispatchObserver* observer)
      : context(std::make_shared<CallContext>(options, observer)) {
    context->live.start();
  }

  void start(const std::shared_ptr<Call>& call) {
    if (call->find_method() == nullptr) return call->reply_no_such_method();
    call->expect_body();
    if (admit(*call)) call->start();
  }

  /// Among the calls in flight; or failed, because there are too many or the node is leaving.
  template <class AnyCall>
  bool admit(AnyCall& call) {
    switch (context->live.add(call)) {
      case LiveCalls::Added::full:
        call.fail({pipe::Errc::overloaded, "too many calls in flight on this node"});
        return false;
      case LiveCalls::Added::closed:
        call.fail({pipe::Errc::draining, "this node is leaving and takes no new calls"});
        return false;
      case LiveCalls::Added::yes:
        break;
    }
    return true;
  }

  /// The mounted target that answers the event, if one does.
  const Mounts::Mount* find_mount(const pipe::Event& event) const {
    const auto noun = std::string_view(event.noun);
    const auto* const mount = mounts.find(noun);
    if (mount == nullptr) return nullptr;
    const auto* const method = context->methods.find(event.verb, noun.substr(0, noun.find("//")));
    if (method == nullptr) return mount;
    // What takes everything comes after the patterns, which take only something.
    const bool exact = !method->name.ends_with('*');
    return exact || mount->noun.empty() ? nullptr : mount;
  }

  /// The method that the event names, if another process answers for it.
  const Method* find_elsewhere(const pipe::Event& event) const {
    if (!context->methods.has_targets()) return nullptr;
    const auto noun = std::string_view(event.noun);
    const auto* const method = context->methods.find(event.verb, noun.substr(0, noun.find("//")));
    return method != nullptr && method->target ? method : nullptr;
  }

  std::shared_ptr<pipe::CallControl> hand_on(pipe::EventTarget& target, std::string method,
                                             Question&& asked,
                                             std::shared_ptr<pipe::ReplySink> sink,
                                             KeyedCall* keyed) {
    auto& [event, body, origin] = asked;
    auto call =
        std::make_shared<MountedCall>(context, std::move(method), event, origin, std::move(sink));
    if (keyed != nullptr) keyed->set_call(call);
    if (admit(*call)) call->run(target, std::move(event), std::move(body), std::move(origin));
    return call;
  }

  /// Runs the event. `keyed`: who keeps its answer; may be null.
  std::shared_ptr<pipe::CallControl> run(Question&& asked, std::shared_ptr<pipe::ReplySink> sink,
                                         KeyedCall* keyed) {
    auto& [event, body, origin] = asked;
    if (const auto* const mount = find_mount(event)) {
      return hand_on(*mount->target, mount->method_name(event.verb), std::move(asked),
                     std::move(sink), keyed);
    }
    if (const auto* const method = find_elsewhere(event)) {
      return hand_on(*method->target, method->name, std::move(asked), std::move(sink), keyed);
    }
    auto call = std::make_shared<Call>(context, std::move(event), std::move(body),
                                       std::move(origin), std::move(sink));
    if (keyed != nullptr) keyed->set_call(call);
    start(call);
    return call;
  }

  /// Runs the event if its key is new, and answers from the window otherwise.
  std::shared_ptr<pipe::CallControl> run_once(std::string_view key, Question&& asked,
                                              std::shared_ptr<pipe::ReplySink> sink) {
    using Verdict = KeyWindow::Verdict;
    const auto& event = asked.event;
    std::optional<Digest> body;
    if (!event.body_follows) body = body_digest(asked.body);
    const auto found =
        context->keys->look(asked.origin.node, key, head_digest(event), body, pipe::Clock::now());
    if (found.verdict == Verdict::first) {
      auto keyed = std::make_shared<KeyedCall>(context->keys, found.entry, event.body_follows,
                                               std::move(sink));
      context->keys->set_call(found.entry, keyed);
      run(std::move(asked), keyed, keyed.get());
      return keyed->control();
    }
    if (found.running) {
      if (auto control = found.running->adopt(sink)) return control;
    }
    if (found.verdict == Verdict::compare_body) {
      auto repeated = std::make_shared<RepeatedCall>(context, found.entry, event, std::move(sink));
      admit(*repeated);
      return repeated;
    }
    if (context->observer != nullptr) context->observer->handled({});
    answer_repetition(found, *sink);
    return std::make_shared<NoCall>();
  }

  std::shared_ptr<pipe::CallControl> refuse_key(const pipe::Event& event, pipe::ReplySink& sink) {
    if (context->observer != nullptr) context->observer->handled({});
    sink.reply(
        {pipe::kCodeException, "application/json", {}},
        exception_body({"ValueError", key_rule(), traceback_line(event.verb, event.request_id)}));
    return std::make_shared<NoCall>();
  }

  std::size_t stop(std::chrono::milliseconds drain) {
    const std::lock_guard lock(stop_mutex);
    context->live.drain(pipe::Clock::now() + drain);
    context->live.abort_all({pipe::Errc::stopped, "this node is shutting down"});
    const auto stuck = context->pool.stop(kReturnGrace);
    context->live.stop();
    return stuck;
  }

  const std::shared_ptr<CallContext> context;
  Mounts mounts;
  std::mutex stop_mutex;  // one stop() at a time
};

Dispatcher::Dispatcher(DispatcherOptions options, DispatchObserver* observer)
    : core_(std::make_unique<Core>(options, observer)) {}

Dispatcher::~Dispatcher() { stop({}); }

void Dispatcher::add(std::string_view verb, std::string_view noun, Flags flags, Handler handler) {
  core_->context->methods.add(verb, noun, flags, std::move(handler));
}

void Dispatcher::add(std::string_view verb, std::string_view noun, Flags flags,
                     std::shared_ptr<pipe::EventTarget> target) {
  core_->context->methods.add(verb, noun, flags, std::move(target));
}

void Dispatcher::mount(std::string_view noun, std::shared_ptr<pipe::EventTarget> target) {
  core_->mounts.add(noun, std::move(target));
}

bool Dispatcher::is_idempotent(std::string_view verb, std::string_view noun) const noexcept {
  const auto* const method = core_->context->methods.find(verb, noun.substr(0, noun.find("//")));
  return method != nullptr && has(method->flags, Flags::idempotent);
}

std::vector<std::string> Dispatcher::methods() const { return core_->context->methods.names(); }

std::shared_ptr<pipe::CallControl> Dispatcher::submit(pipe::Event&& event, std::string&& body,
                                                      const pipe::Origin& origin,
                                                      std::shared_ptr<pipe::ReplySink>&& sink) {
  auto* const observer = core_->context->observer;
  if (observer != nullptr) observer->received();
  Question asked{std::move(event), std::move(body), std::move(origin)};
  if (core_->context->options.idempotency_window.count() == 0) {
    return core_->run(std::move(asked), std::move(sink), nullptr);
  }
  const auto key = find_key(asked.event.headers);
  if (!key) return core_->refuse_key(asked.event, *sink);
  if (key->empty() || is_idempotent(asked.event.verb, asked.event.noun)) {
    return core_->run(std::move(asked), std::move(sink), nullptr);
  }
  const std::string kept(*key);  // the event moves on
  return core_->run_once(kept, std::move(asked), std::move(sink));
}

std::size_t Dispatcher::in_flight() const noexcept { return core_->context->live.size(); }

std::size_t Dispatcher::stop(std::chrono::milliseconds drain) { return core_->stop(drain); }

}  // namespace rp::handlers
