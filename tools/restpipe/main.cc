#include "client/client_node.h"
#include "server/server_node.h"
#include "tools/restpipe/program.h"

int main(int argc, char** argv) {
  return rp::tools::run_program(argc, argv, {&rp::server::run, &rp::client::run});
}
