#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "tests/product/harness/lab.h"

namespace rp::product {

/// A server and several clients that call each other by way of it, under a policy of the test.
class MeshTest : public LabTest {
 protected:
  void TearDown() override;

  /// A server with this policy, or without one when the text is empty.
  void start_server(std::string_view policy, std::vector<std::string> flags = {});
  /// A further client, connected; throws when it does not connect.
  Node& connect(const std::string& name, std::vector<std::string> flags = {});

  /// Replaces the server's policy file and waits until the node has seen it: `said` is part of the
  /// log line that follows.
  bool change_policy(std::string_view policy, std::string_view said);

  Node& node(const std::string& name) { return *clients_.at(name); }
  void disconnect(const std::string& name) { clients_.erase(name); }
  /// URL of a path on a client's front-end.
  std::string on(const std::string& name, const std::string& path) {
    return node(name).base() + path;
  }

  std::filesystem::path policy_file() const { return authority_.scratch("policy.toml"); }

 private:
  std::map<std::string, std::unique_ptr<Node>> clients_;
};

/// A policy that lets everybody call everybody.
inline constexpr std::string_view kOpenPolicy = "default = \"allow\"\n";

}  // namespace rp::product
