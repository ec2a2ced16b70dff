#include "client/client_node.h"
#include "server/server_node.h"
#include "tools/restpipe/plugin_host_command.h"
#include "tools/restpipe/program.h"

int main(int argc, char** argv) {
  if (rp::tools::is_plugin_host(argc, argv)) return rp::tools::run_plugin_host(argc, argv);
  return rp::tools::run_program(argc, argv, {&rp::server::run, &rp::client::run});
}
