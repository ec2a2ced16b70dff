#pragma once

#include <vector>

#include "node/health.h"
#include "node/logging.h"
#include "node/metrics.h"

namespace rp::node {

/// Series about the process itself: build, start time, memory, descriptors, processor time,
/// readiness and lost log lines. All arguments outlive the handles, which keep the series alive.
std::vector<Registry::Callback> export_process(Registry& registry, const LogWriter& log,
                                               const Health& health);

}  // namespace rp::node
