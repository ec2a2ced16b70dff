#include <cstdint>

#include "handlers/plugin.h"

/// Right in everything but its version: a node must refuse it before it calls anything.
extern "C" {

const std::uint32_t restpipe_plugin_abi = RESTPIPE_ABI_VERSION + 1;

restpipe_status restpipe_plugin_init(const restpipe_host*, restpipe_plugin*) { return RESTPIPE_OK; }
}
