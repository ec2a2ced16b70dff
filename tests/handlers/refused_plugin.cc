// One plugin that no node takes, in several builds: RP_REFUSED_BY says which rule it breaks.
#include <cstdlib>
#include <stdexcept>

#include <restpipe/sdk/restpipe.hpp>

#define RP_ABI 1
#define RP_NO_INIT 2
#define RP_CONSTRUCTOR 3
#define RP_VERB 4
#define RP_INIT_THROWS 5
#define RP_UNRESOLVED 6

#if RP_REFUSED_BY == RP_ABI
const std::uint32_t restpipe_plugin_abi = 7;
restpipe_status restpipe_plugin_init(const restpipe_host*, restpipe_plugin*) { std::abort(); }

#elif RP_REFUSED_BY == RP_NO_INIT
const std::uint32_t restpipe_plugin_abi = RESTPIPE_ABI_VERSION;

#elif RP_REFUSED_BY == RP_CONSTRUCTOR
struct Plugin {
  Plugin() { throw std::runtime_error("no database"); }
  static void methods(rp::Methods<Plugin>&) {}
};
RESTPIPE_PLUGIN(Plugin, "refused", "0")

#elif RP_REFUSED_BY == RP_VERB
struct Plugin {
  void fetch_it() {}
  static void methods(rp::Methods<Plugin>& m) { m.add("fetch_it", &Plugin::fetch_it); }
};
RESTPIPE_PLUGIN(Plugin, "refused", "0")

#elif RP_REFUSED_BY == RP_INIT_THROWS
const std::uint32_t restpipe_plugin_abi = RESTPIPE_ABI_VERSION;
restpipe_status restpipe_plugin_init(const restpipe_host*, restpipe_plugin*) { throw 1; }

#elif RP_REFUSED_BY == RP_UNRESOLVED
const std::uint32_t restpipe_plugin_abi = RESTPIPE_ABI_VERSION;
extern "C" int function_that_nobody_defines();
restpipe_status restpipe_plugin_init(const restpipe_host*, restpipe_plugin*) {
  return function_that_nobody_defines();
}
#endif
