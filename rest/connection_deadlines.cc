#include <algorithm>
#include <string>
#include <utility>

#include "rest/connection.h"

/// What becomes of a connection when its time is up.
namespace rp::rest {
namespace {

// After the last answer the client gets this long to read it and close.
constexpr std::chrono::seconds kLingerTime{2};

// While the node leaves: a connection that was just accepted may have a request on its way for this
// long, and one that has its answer has as long to read it.
constexpr std::chrono::milliseconds kDrainIdleTime{500};

}  // namespace

void Connection::begin_drain() {
  const bool idle = phase_ == Phase::open && !busy() && gate_.between_requests() && !has_pending();
  if (idle && outbound_.empty()) close_now();
}

void Connection::sweep() {
  const auto& limits = port_.limits;
  const auto waited = port_.now - phase_since_;
  const auto refuse = [&](std::string detail) {
    port_.stats.requests_timed_out.fetch_add(1, std::memory_order_relaxed);
    answer_problem(problem_for(Refusal{408, "request_timeout", std::move(detail)}), nullptr);
  };
  const auto linger_time = port_.draining ? kDrainIdleTime : kLingerTime;
  if (phase_ == Phase::lingering && waited > linger_time) return close_now();
  if (stalled_since_ && port_.now - *stalled_since_ > limits.write_timeout) {
    port_.stats.readers_cut.fetch_add(1, std::memory_order_relaxed);
    reset_on_close_ = true;
    return close_now();
  }
  if (phase_ != Phase::open) return;
  if (uploading_) sweep_upload();
  if (phase_ != Phase::open) return;
  if (busy()) {
    const bool left = input_ended_ && !uploading_ && !local_address_.empty() &&
                      port_.now - input_ended_at_ >= limits.half_close_grace;
    if (left) close_now();
    return;
  }
  if (gate_.reading_head()) {
    if (waited > limits.head_timeout) refuse("the request's headers took too long to arrive");
  } else if (gate_.reading_body()) {
    const std::chrono::milliseconds earned(
        gate_.body_bytes() * 1000 / std::max<std::size_t>(1, limits.body_bytes_per_second_min));
    if (waited > limits.body_grace + earned) refuse("the request's body arrives too slowly");
  } else if (outbound_.empty()) {
    const auto most =
        port_.draining ? std::min(limits.idle_timeout, kDrainIdleTime) : limits.idle_timeout;
    if (waited > most) finish();
  }
}

}  // namespace rp::rest
