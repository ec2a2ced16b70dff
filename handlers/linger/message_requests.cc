// What is asked of one message.
#include <charconv>

#include "handlers/linger/linger_call.h"
#include "handlers/linger/message_options.h"

namespace rp::handlers::linger {

std::optional<queue::MessageId> LingerCall::its_id() const {
  queue::MessageId id = 0;
  const auto* const end = route_.id.data() + route_.id.size();
  const auto [stop, error] = std::from_chars(route_.id.data(), end, id);
  if (error != std::errc() || stop != end) return std::nullopt;
  return id;
}

std::optional<queue::Lease> LingerCall::its_lease() {
  const auto* const text = parameters_.find("lease");
  if (text == nullptr) {
    refuse("A lease is needed, accepted is the x-linger-lease of this message.");
    return std::nullopt;
  }
  const auto lease = queue::lease_from_text(*text);
  if (lease && lease->id == its_id()) return lease;
  refuse("Invalid lease, accepted is the x-linger-lease of this message.");
  return std::nullopt;
}

void LingerCall::answer_status(const queue::Result<queue::Engine::Answers>& result) {
  if (!result) {
    answer(face_->answers.failure(result.error()));
  } else if (!result->front()) {
    answer(face_->answers.failure(result->front().error()));
  } else {
    answer(face_->answers.no_content());
  }
}

void LingerCall::remove() {
  auto done = [self = shared_from_this()](const auto& result) { self->answer_status(result); };
  if (parameters_.has("lease")) {
    if (const auto lease = its_lease()) face_->engine.ack({*lease}, std::move(done));
  } else if (const auto id = its_id()) {
    face_->engine.remove({*id}, std::move(done));
  } else {
    answer(face_->answers.unknown_message());
  }
}

void LingerCall::touch() {
  auto done = [self = shared_from_this()](const auto& result) { self->answer_status(result); };
  if (parameters_.has("lease")) {
    const auto lease = its_lease();
    if (!lease) return;
    const auto timeout =
        read_seconds(parameters_, "timeout", "message visibility timeout", Zero::refused);
    if (!timeout) return refuse(timeout.error());
    face_->engine.extend({*lease}, *timeout, std::move(done));
  } else if (const auto id = its_id()) {
    face_->engine.touch({*id}, std::move(done));
  } else {
    answer(face_->answers.unknown_message());
  }
}

void LingerCall::nack() {
  const auto lease = its_lease();
  if (!lease) return;
  const auto delay = read_seconds(parameters_, "delay", "message delay");
  if (!delay) return refuse(delay.error());
  const queue::NackOptions options{.delay = delay->value_or(queue::Milliseconds(0)),
                                   .reject = parameters_.has("reject")};
  face_->engine.nack({*lease}, options, [self = shared_from_this()](const auto& result) {
    self->answer_status(result);
  });
}

}  // namespace rp::handlers::linger
