#pragma once

#include "node/config.h"

namespace rp::server {

/// Runs a server node until a signal ends it; returns the exit code. Throws node::StartupError.
int run(const node::Config& config);

}  // namespace rp::server
