#include <algorithm>
#include <utility>

#include "rest/connection.h"

/// A connection whose request is in its handler's hands already while the body still comes.
namespace rp::rest {
namespace {

// A body up to this length is cheaper to gather than to pass on in pieces.
constexpr std::uint64_t kWholeBodyMax = 64 * 1024;

// Pieces are handed over when they are this long, and at the end of each step.
constexpr std::size_t kPieceBytes = 64 * 1024;

}  // namespace

bool Connection::is_long_body() const {
  const Framing& framing = gate_.framing();
  return gate_.streams_body() && (framing.chunked || framing.content_length > kWholeBodyMax);
}

void Connection::begin_upload() {
  set_request(gate_.take_head());
  uploading_ = true;
  upload_waits_for_us_ = false;
  upload_since_ = port_.now;
  dispatch();
}

/// Takes what belongs to the body off the front of `input`. False when it can go on only later.
bool Connection::work_on_upload(std::string_view& input) {
  const auto exchange = current_.lock();
  if (!exchange) return false;  // dropped unanswered; on_orphan() comes next
  std::size_t room = exchange->body_room();
  if (gate_.body_bytes() >= std::min(room, kPieceBytes)) {
    hand_over_body(*exchange);
    room = exchange->body_room();
  } else {
    room -= gate_.body_bytes();
  }
  if (std::exchange(upload_waits_for_us_, room == 0)) upload_since_ = port_.now;
  if (room == 0) return false;
  std::string_view part = input.substr(0, room);
  const std::size_t offered = part.size();
  if (offered > 0) upload_since_ = port_.now;
  const auto progress = gate_.feed(part);
  input.remove_prefix(offered - part.size());
  switch (progress) {
    case Gate::Progress::complete:
      hand_over_body(*exchange);
      (void)gate_.take_request();
      uploading_ = false;
      exchange->end_body();
      return true;
    case Gate::Progress::refused:
      port_.stats.requests_malformed.fetch_add(1, std::memory_order_relaxed);
      break_upload(problem_for(gate_.refusal()));
      return false;
    case Gate::Progress::head:
    case Gate::Progress::need_more:
      break;
  }
  port_.flush_soon(*this);
  return !input.empty();
}

void Connection::hand_over_body(Exchange& exchange) {
  std::string piece = gate_.take_body();
  if (!piece.empty()) exchange.give_body(std::move(piece));
}

/// The body will not become whole: its handler hears that nobody waits, the client why.
void Connection::break_upload(const Problem& problem) {
  uploading_ = false;
  const auto exchange = current_.lock();
  current_raw_ = nullptr;
  current_.reset();
  port_.stats.requests_in_flight.fetch_sub(1, std::memory_order_relaxed);
  if (exchange) exchange->notify_disconnect();
  head_sent_ ? close_now() : answer_problem(problem, nullptr);
}

void Connection::sweep_upload() {
  if (upload_waits_for_us_ || port_.now - upload_since_ <= port_.limits.body_pause) return;
  port_.stats.requests_timed_out.fetch_add(1, std::memory_order_relaxed);
  break_upload(problem_for(Refusal{408, "request_timeout",
                                   "the request's body has paused for too "
                                   "long"}));
}

}  // namespace rp::rest
