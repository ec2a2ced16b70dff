#pragma once

#include <chrono>
#include <string>

#include "pipe/event.h"

namespace rp::rest {

/// Where the time of one call went, from the end of the request's head to the beginning of its
/// answer: what Server-Timing shows and the line about a slow call says.
struct Timing {
  using Duration = pipe::Clock::duration;

  Duration gate{};                      ///< from the head to the submission of the event
  Duration queue{};                     ///< until a worker of the other node began
  Duration handler{};                   ///< until it answered
  Duration wire{};                      ///< the rest of the way there and back
  Duration back{};                      ///< from the answer's arrival to its first byte
  pipe::Clock::time_point answered_at;  ///< when the answer arrived

  /// For the line about a slow call: longer than this, of that event. Zero: no line.
  std::chrono::milliseconds slow{0};
  std::string request_id;
  std::string method;

  Duration total() const { return gate + queue + handler + wire + back; }
};

/// The answer is about to be written: completes the timing and logs a slow call.
void finish(Timing& timing, pipe::Clock::time_point now);

/// Appends the header line, milliseconds with three digits: "Server-Timing: gate;dur=0.041, ..."
void append_server_timing(std::string& out, const Timing& timing);

}  // namespace rp::rest
