#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "pipe/core/frame.h"
#include "pipe/error.h"
#include "pipe/event.h"

/// Heads of calls and replies between their C++ shapes and their wire form, with every rule for
/// their fields. The same rules hold in both directions: what a peer would refuse is refused
/// before it is sent.
namespace rp::pipe {

/// What one of our own heads has wrong, as a sentence that names the field and the rule; "" if
/// nothing.
std::string check(const Event& event);
std::string check(const ReplyHead& head);

/// True for the verbs that select a handler: get, post, put, delete, patch.
bool is_verb(std::string_view verb) noexcept;

/// Appends frames to `out`. The event must have passed check(); `now` turns its deadline into
/// the time left.
void append_call(const Event& event, std::string_view body, bool end, CallId call,
                 Clock::time_point now, std::string& out);
void append_reply(const ReplyHead& head, std::string_view body, bool end, CallId call,
                  std::string& out);
void append_error_reply(const Failure& failure, CallId call, std::string& out);

/// Reads a received CALL head into a fresh event, or says malformed_frame. In place, because an
/// event takes longer to move than to read.
error_code decode_call(std::string_view head, Clock::time_point now, Event& event);

/// A received REPLY head: what the handler said, or why none could.
struct DecodedReply {
  ReplyHead head;
  Failure error;
  bool failed = false;
};
Result<DecodedReply> decode_reply(std::string_view head);

}  // namespace rp::pipe
