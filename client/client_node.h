#pragma once

#include "node/config.h"

namespace rp::client {

/// Runs a client node until a signal ends it; returns the exit code. Throws node::StartupError.
int run(const node::Config& config);

}  // namespace rp::client
