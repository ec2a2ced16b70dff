// The demo plugin as a shared library, the way every other plugin is built.
#include "handlers/demo/demo.h"

RESTPIPE_PLUGIN(rp::handlers::Demo, "demo", "1.0")
