#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "queue/engine.h"

namespace rp::queue {

class Inbox;

/// One take() from its call to its completion. Whoever moves `state` away from `waiting` decides
/// how it ends; the completion is run by the engine's thread.
struct Waiting {
  enum class State : std::uint8_t { waiting, answered, cancelled };

  Waiting(std::string name, TakeOptions take_options, Completion<std::vector<Delivery>> completion)
      : channel(std::move(name)), options(take_options), done(std::move(completion)) {}

  /// True for the one caller that decides.
  bool become(State next) {
    auto expected = State::waiting;
    return state.compare_exchange_strong(expected, next);
  }
  /// Completes with the result, or, if it was cancelled meanwhile, with that; then false: the
  /// result has reached nobody. By the engine's thread, or before the operation is queued; once.
  bool finish(const Result<std::vector<Delivery>>& result) {
    const bool reached = become(State::answered);
    // What the completion holds on to is let go of, however long the waiter's handle is kept.
    const auto completion = std::exchange(done, nullptr);
    if (reached) {
      completion(result);
    } else {
      completion(Error{.code = Errc::cancelled, .detail = "the waiter was cancelled"});
    }
    return reached;
  }
  bool is_cancelled() const { return state.load() == State::cancelled; }

  const std::string channel;
  const TakeOptions options;
  Completion<std::vector<Delivery>> done;
  std::weak_ptr<Inbox> inbox;  // where a cancellation is announced
  std::atomic<State> state{State::waiting};

  // For the engine's thread alone.
  std::int64_t deadline_ms = 0;
  bool queued = false;  // in its channel's list, at `place`
  bool is_new = false;  // its take() is of the group that is being decided
  std::list<std::shared_ptr<Waiting>>::iterator place{};
};

}  // namespace rp::queue
