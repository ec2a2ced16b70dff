#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/linger/message_options.h"
#include "queue/message.h"

/// Bodies of requests for many messages: a JSON array, or one JSON value on each line.
namespace rp::handlers::linger {

/// Cuts the body into its values, without reading them. Refuses none at all, more than
/// queue::kBatchMax, and an array that does not end.
Read<std::vector<std::string_view>> split_items(std::string_view body);

/// A message of a batch: a JSON string, which is its body, or an object with `body` or `body64`,
/// `type`, and the parameters of a message. Other members are refused.
Read<queue::NewMessage> read_message_item(std::string_view item);

/// Takes the members of a JSON object as parameters.
std::optional<Refused> add_members(std::string_view text, Parameters& parameters);

/// What a batch of acknowledgements holds: a number is an id, a string is a lease.
struct AckItem {
  queue::MessageId id = 0;
  std::optional<queue::Lease> lease{};
};
Read<AckItem> read_ack_item(std::string_view item);

}  // namespace rp::handlers::linger
