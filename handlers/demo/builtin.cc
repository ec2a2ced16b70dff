#include "handlers/demo/builtin.h"

#include "handlers/demo/demo.h"

namespace rp::handlers {

restpipe_status init_demo(const restpipe_host* host, restpipe_plugin* plugin) {
  return rp::detail::init<Demo>(host, plugin, "demo", "1.0");
}

}  // namespace rp::handlers
