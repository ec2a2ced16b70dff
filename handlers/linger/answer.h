#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "pipe/event.h"
#include "queue/error.h"
#include "queue/message.h"

namespace rp::handlers::linger {

/// The version of Linger whose API this is.
inline constexpr std::string_view kVersion = "1.0.1";

/// A complete answer, with its HTTP status in the head.
struct Answer {
  pipe::ReplyHead head;
  std::string body;
};

/// Why a request is refused. `reason` becomes the reason phrase and the body.
struct Refused {
  // Not an aggregate: a number alone must never be taken for one.
  Refused() = default;
  Refused(std::uint16_t http_status, std::string text)
      : status(http_status), reason(std::move(text)) {}

  std::uint16_t status = 400;
  std::string reason;
};

/// Makes answers in Linger's form: each with the server's id and a random entity tag, errors with
/// their text in the reason phrase as well as in the body.
class Answers {
 public:
  explicit Answers(const std::string& server_id) : server_("Linger " + server_id) {}

  Answer json(std::uint16_t status, std::string text) const;
  Answer no_content() const { return make(204, "", ""); }
  Answer error(const Refused& refused) const;
  /// The one error of Linger's that has no body.
  Answer unknown_message() const;
  Answer method_not_allowed(std::string_view allow) const;
  /// For a path that is none: as the front-end answers such paths.
  Answer not_found() const;
  /// What an operation of the engine failed with.
  Answer failure(const queue::Error& error) const;
  /// 204 with the channel's name: nothing is ready.
  Answer nothing_ready(std::string_view channel) const;
  /// The message itself. `with_lease`: the header x-linger-lease as well.
  Answer message(queue::Delivery delivery, bool with_lease) const;

 private:
  Answer make(std::uint16_t status, std::string content_type, std::string body) const;

  const std::string server_;
};

/// How an error of the engine is told: its HTTP status and its sentence.
Refused refused(const queue::Error& error);

/// In a 507: what Linger says of a channel at its mark, and in the same way what other limit there
/// is no room below.
std::string full_text(const queue::Error& error);

}  // namespace rp::handlers::linger
