#pragma once

#include <string>
#include <vector>

#include "queue/message.h"

/// Messages as JSON objects, for answers that hold several.
namespace rp::handlers::linger {

/// One that was taken, with its lease.
std::string json_of(const queue::Delivery& delivery);
/// One that was looked at, with its state.
std::string json_of(const queue::Listed& listed);

/// `["a", "b"]` from texts that are JSON already.
std::string json_array(const std::vector<std::string>& items);

}  // namespace rp::handlers::linger
