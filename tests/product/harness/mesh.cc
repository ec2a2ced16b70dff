#include "tests/product/harness/mesh.h"

#include <iostream>
#include <stdexcept>

#include <signal.h>

namespace rp::product {

void MeshTest::TearDown() {
  LabTest::TearDown();
  if (!HasFailure()) return;
  for (const auto& [name, node] : clients_) {
    std::cerr << "--- log of " << name << " ---\n" << node->log();
  }
}

void MeshTest::start_server(std::string_view policy, std::vector<std::string> flags) {
  const auto handlers = parity_handlers();
  flags.insert(flags.end(), handlers.begin(), handlers.end());
  if (!policy.empty()) {
    write_text(policy_file(), policy);
    flags.insert(flags.end(), {"--policy", policy_file().string()});
  }
  server_ = make_server({.flags = std::move(flags)});
}

Node& MeshTest::connect(const std::string& name, std::vector<std::string> flags) {
  const auto handlers = parity_handlers();
  flags.insert(flags.end(), handlers.begin(), handlers.end());
  auto node = make_client({.identity = authority_.client(name), .flags = std::move(flags)});
  if (!node->ready()) throw std::runtime_error("the client does not connect: " + node->log());
  return *(clients_[name] = std::move(node));
}

bool MeshTest::change_policy(std::string_view policy, std::string_view said) {
  write_text(policy_file(), policy);
  server_->process().signal(SIGHUP);
  return server_->process().err_line(said).has_value();
}

}  // namespace rp::product
