#include "tests/product/harness/broken_wire.h"

#include <signal.h>

namespace rp::product {

void BrokenWireTest::start(std::vector<std::string> flags) {
  std::filesystem::create_directories(methods());
  flags.insert(flags.end(), {"--handlers", RP_COUNTING_PLUGIN, "--handlers", RP_PARITY_PLUGIN,
                             "--handlers", RP_DEMO_PLUGIN, "--exec", methods().string()});
  flags_ = flags;
  server_ = make_server({.flags = flags});
  wire_.emplace(server_->pipe_port());
  client_ = make_client({.flags = flags, .pipe_port = wire_->port()});
  ASSERT_TRUE(client_->ready());
  ASSERT_TRUE(server_knows("alpha"));
}

void BrokenWireTest::replace_server() {
  server_->process().signal(SIGKILL);
  server_->process().wait();
  restart_server(flags_);
}

void BrokenWireTest::replace_client() {
  client_->process().signal(SIGKILL);
  client_->process().wait();
  client_ = make_client({.flags = flags_, .pipe_port = wire_->port()});
}

}  // namespace rp::product
