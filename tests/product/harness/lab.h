#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/product/harness/node.h"

namespace rp::product {

/// A CA and identities, made by `restpipe identity` as a user makes them.
class Authority {
 public:
  Authority();

  std::filesystem::path ca() const { return directory_ / "ca"; }
  std::filesystem::path ca_certificate() const { return ca() / "ca.crt.pem"; }

  /// Identity directories; made at the first call. A server answers for localhost and 127.0.0.1.
  std::filesystem::path server(const std::string& name = "hub");
  std::filesystem::path client(const std::string& name = "alpha");

  /// A further directory for files of the test.
  std::filesystem::path scratch(const std::string& name) const { return directory_ / name; }

 private:
  std::filesystem::path issue(const std::string& role, const std::string& name,
                              const std::vector<std::string>& extra);

  TempDir directory_;
};

/// A server node, a client node "alpha" and their addresses: the ground of most tests. When a test
/// has failed, the logs of both nodes are printed.
class LabTest : public ::testing::Test {
 protected:
  void TearDown() override;

  /// Both nodes with `flags`; returns when the pipe is up, throws when it does not come up.
  void start_pair(std::vector<std::string> flags = {});
  /// The same with the plugin of tests/handlers/ beside the demo.
  void start_parity_pair(std::vector<std::string> flags = {});
  /// The same with the plugins counting_plugin.cc and tests/handlers/parity_plugin.cc and with
  /// methods().
  void start_methods_pair(std::vector<std::string> flags = {});

  /// `setup.identity` is filled in when empty.
  std::unique_ptr<Node> make_server(NodeSetup setup = {});
  std::unique_ptr<Node> make_client(NodeSetup setup = {});

  /// The server again, where it was before.
  void restart_server(std::vector<std::string> flags = {});

  /// The URL of a path on the client's, or the server's, front-end: C("/server/time").
  std::string C(const std::string& path) const { return client_->base() + path; }
  std::string S(const std::string& path) const { return server_->base() + path; }

  /// The directory of executables for --exec, and a shell script in it: named get_greet it answers
  /// GET of the noun greet.
  std::filesystem::path methods() const { return authority_.scratch("methods"); }
  void script(const std::string& name, const std::string& text) const;

  /// What curl's --data-binary takes to send `body`.
  std::string data_file(const std::string& name, std::string_view body) const;

  /// The server has, or loses, a connected client `name`.
  bool server_knows(const std::string& name, TestClock::duration timeout = kPatience);
  bool server_forgets(const std::string& name, TestClock::duration timeout = kPatience);

  Authority authority_;
  std::unique_ptr<Node> server_;
  std::unique_ptr<Node> client_;

 private:
  bool listed(const std::string& name);
};

/// A row of the parity checklist: what a user of the reference relies on, or was promised better.
/// Its number is in the name of the test.
class ParityTest : public LabTest {};

/// `--handlers` with the plugin of tests/handlers/, and the demo beside it.
std::vector<std::string> parity_handlers();

}  // namespace rp::product
