// What a call does with its request's body: gather it for a handler that takes it whole, or queue
// it for one that reads.
#include <algorithm>
#include <string>
#include <utility>

#include "handlers/call.h"

namespace rp::handlers {

using pipe::Clock;

void Call::expect_body() {
  if (event_.body_follows) invocation_.body_bytes = event_.body_bytes;
  const auto timeout = context_->options.body_timeout;
  if (has(method_->flags, Flags::body_stream)) {
    arriving_ = std::make_unique<ArrivingBody>(ArrivingBody::Use::read, timeout,
                                               std::exchange(body_, {}), event_.body_follows);
  } else if (event_.body_follows) {
    arriving_ = std::make_unique<ArrivingBody>(ArrivingBody::Use::gather, timeout, std::string(),
                                               /*follows=*/true);
  }
}

void Call::start() {
  if (!arriving_ || !arriving_->gathers) return launch();
  const auto announced = event_.body_bytes.value_or(0);
  const auto most = context_->options.body_bytes_max;
  if (announced > most) {
    fail({pipe::Errc::body_too_large, "the request's body is announced with " +
                                          std::to_string(announced) + " bytes; " +
                                          std::to_string(most) + " are taken here"});
  }
}

void Call::body_data(std::string piece) {
  Lock lock(mutex_);
  if (!arriving_ || !arriving_->is_open() || phase_ == Phase::done || piece.empty()) return;
  const auto sink = sink_;
  const auto bytes = piece.size();
  const bool gathers = arriving_->gathers;
  auto refused = gathers ? gather(piece) : queue(std::move(piece));
  lock.unlock();
  if (refused) return abort(std::move(*refused));
  if (gathers) return sink->body_consumed(bytes);
  arriving_->arrived.notify_all();
  arriving_->readable.fire();
}

std::optional<pipe::Failure> Call::gather(std::string_view piece) {
  const auto most = context_->options.body_bytes_max;
  if (piece.size() > most - body_.size()) {
    return pipe::Failure{pipe::Errc::body_too_large, "the request's body is longer than the " +
                                                         std::to_string(most) +
                                                         " bytes that are taken here"};
  }
  if (!context_->gathered.try_take(piece.size())) {
    return pipe::Failure{pipe::Errc::overloaded,
                         "the bodies of all calls hold too much memory on this node"};
  }
  gathered_bytes_ += piece.size();
  body_.append(piece);
  arriving_->wait_for_more();
  return std::nullopt;
}

std::optional<pipe::Failure> Call::queue(std::string piece) {
  if (piece.size() > pipe::kStreamWindowBytes - arriving_->unread_bytes()) {
    return pipe::Failure{pipe::Errc::protocol_violation,
                         "more of the request's body came than its reader asked for"};
  }
  arriving_->push(std::move(piece));
  return std::nullopt;
}

void Call::body_end() {
  Lock lock(mutex_);
  if (!arriving_ || !arriving_->is_open() || phase_ == Phase::done) return;
  arriving_->end();
  if (arriving_->gathers) invocation_.body_bytes = body_.size();
  lock.unlock();
  if (arriving_->gathers) return launch();
  arriving_->arrived.notify_all();
  arriving_->readable.fire();
}

BodyRead Call::read(char* to, std::size_t size, std::chrono::milliseconds wait) {
  if (!arriving_ || arriving_->gathers) return {Answer::invalid};
  auto& body = *arriving_;
  Lock lock(mutex_);
  if (wait > std::chrono::milliseconds::zero()) {
    const auto now = Clock::now();
    const auto longest =
        std::chrono::floor<std::chrono::milliseconds>(Clock::time_point::max() - now);
    body.arrived.wait_until(lock, now + std::min(wait, longest), [&] {
      return phase_ == Phase::done || body.unread_bytes() > 0 || body.ended();
    });
  }
  if (phase_ == Phase::done) {
    if (!gone_) return {Answer::answered};
    return {body.broken() ? Answer::body_broken : Answer::gone};
  }
  std::size_t freed = 0;
  const auto bytes = body.take(to, size, freed);
  if (bytes == 0 && size > 0) return {body.ended() ? Answer::body_ended : Answer::would_block};
  const auto sink = sink_;
  lock.unlock();
  if (freed > 0 && body.follows()) sink->body_consumed(freed);
  return {Answer::ok, bytes};
}

void Call::on_readable(std::function<void()> callback) {
  if (!arriving_ || arriving_->gathers) return;
  auto& body = *arriving_;
  if (!callback) return body.readable.clear();
  body.readable.set(std::move(callback));
  Lock lock(mutex_);
  const bool now = phase_ == Phase::done || body.unread_bytes() > 0 || body.ended();
  lock.unlock();
  if (now) body.readable.fire();
}

Clock::time_point Call::good_until(Clock::time_point now) const noexcept {
  return arriving_ ? std::min(deadline(), arriving_->good_until(now)) : deadline();
}

std::string Call::who_is_late() const {
  const bool overdue = deadline() <= Clock::now();
  const Lock lock(mutex_);
  if (!overdue && arriving_) {
    const auto silent = std::chrono::ceil<std::chrono::seconds>(arriving_->timeout());
    return "the caller sent nothing more of the request's body for " +
           std::to_string(silent.count()) + " s";
  }
  if (arriving_ && arriving_->gathers && arriving_->is_open()) {
    return "the call's time ran out while the request's body was read";
  }
  if (!started_at_ && has(method_->flags, Flags::blocking)) {
    return "the call's time ran out while it waited for a worker";
  }
  if (!started_at_) return "the call's time ran out before its handler could start";
  return "the call's time ran out in its handler " + method_->name;
}

}  // namespace rp::handlers
