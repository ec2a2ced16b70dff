#pragma once

#include "handlers/plugin.h"

namespace rp::handlers {

/// The demo plugin linked into the program, for PluginSet::load_builtin("demo", ...): a node that
/// is given no plugin has it without a file to find and to trust.
restpipe_status init_demo(const restpipe_host* host, restpipe_plugin* plugin);

}  // namespace rp::handlers
