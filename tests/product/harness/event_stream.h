#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/wait.h"

namespace rp::product {

/// Reads `count` events of the stream at `path`, one of which is written every `interval`, and
/// expects that none waits for the next, or for a timer of that order. An event's data is when it
/// was written: nanoseconds of the monotonic clock, which all processes share.
void expect_one_by_one(std::uint16_t rest_port, const std::string& path, std::size_t count,
                       TestClock::duration interval);

}  // namespace rp::product
