#include "handlers/responder.h"

#include <algorithm>

#include "handlers/call.h"

namespace rp::handlers {

Responder::~Responder() {
  if (call_) call_->abandon();
}

const Invocation& Responder::invocation() const noexcept { return call_->invocation(); }

Answer Responder::reply(pipe::ReplyHead&& head, std::string&& body) {
  return call_->reply(std::move(head), std::move(body));
}

Answer Responder::raise(const Exception& exception) { return call_->raise(exception); }

Answer Responder::fail(pipe::Failure failure) { return call_->fail(std::move(failure)); }

Answer Responder::begin(pipe::ReplyHead&& head) { return call_->begin(std::move(head)); }

Answer Responder::write(std::string_view piece, std::chrono::milliseconds wait) {
  return call_->write(piece, wait);
}

Answer Responder::end() { return call_->end(); }

BodyRead Responder::read(char* to, std::size_t size, std::chrono::milliseconds wait) {
  return call_->read(to, size, wait);
}

void Responder::on_readable(std::function<void()> callback) {
  call_->on_readable(std::move(callback));
}

bool Responder::is_cancelled() const noexcept { return call_->is_cancelled(); }

std::stop_token Responder::stop_token() const { return call_->stop_token(); }

void Responder::on_writable(std::function<void()> callback) {
  call_->on_writable(std::move(callback));
}

std::optional<std::chrono::milliseconds> Responder::time_left() const {
  const auto deadline = call_->deadline();
  if (deadline == pipe::Clock::time_point::max()) return std::nullopt;
  const auto left = std::chrono::floor<std::chrono::milliseconds>(deadline - pipe::Clock::now());
  return std::max(left, std::chrono::milliseconds::zero());
}

}  // namespace rp::handlers
