#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/certs/test_pki.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/socket.h"

/// A start that cannot succeed ends with one clear line and its own exit code.
namespace rp::product {
namespace {

using certs::testing::Kind;

class StartupTest : public LabTest {
 protected:
  /// Runs a node that must end by itself, and checks the contract of a failed start: that exit
  /// code, nothing on stdout, one line on stderr which names all of `parts`.
  void expect_refusal(const Command& command, int exit_code, std::vector<std::string> parts) {
    Process process(command);
    const auto ended = process.wait();
    process.kill();
    EXPECT_EQ(ended.value_or(-1), exit_code) << process.err();
    EXPECT_EQ(process.out(), "");
    EXPECT_EQ(lines_of(process.err()).size(), 1u) << process.err();
    for (const auto& part : parts) EXPECT_TRUE(contains(process.err(), part)) << process.err();
  }

  Command server(NodeSetup setup = {}) {
    if (setup.identity.empty()) setup.identity = authority_.server();
    return node_command(Role::server, setup);
  }
};

TEST_F(StartupTest, ABusyPipePort) {
  const auto taken = listen_on_loopback();
  expect_refusal(server({.pipe_port = port_of(taken)}), 4,
                 {"127.0.0.1:" + std::to_string(port_of(taken))});
}

TEST_F(StartupTest, ABusyRestPort) {
  const auto taken = listen_on_loopback();
  expect_refusal(server({.rest_port = port_of(taken)}), 4,
                 {"127.0.0.1:" + std::to_string(port_of(taken))});
}

TEST_F(StartupTest, AMissingIdentity) {
  const auto nowhere = authority_.scratch("nowhere");
  expect_refusal(server({.identity = nowhere}), 5, {nowhere.string()});
}

TEST_F(StartupTest, AKeyThatOthersCanRead) {
  const auto key = authority_.server() / "restpipe.server.key.pem";
  std::filesystem::permissions(key, std::filesystem::perms(0644));
  expect_refusal(server(), 5, {key.string(), "0600"});
}

TEST_F(StartupTest, AKeyThatIsNone) {
  const auto key = authority_.server() / "restpipe.server.key.pem";
  write_text(key, "nonsense\n");
  expect_refusal(server(), 5, {key.string()});
}

TEST_F(StartupTest, AKeyOfAnotherCertificate) {
  const auto other = authority_.server("other") / "restpipe.server.key.pem";
  std::filesystem::copy_file(other, authority_.server() / "restpipe.server.key.pem",
                             std::filesystem::copy_options::overwrite_existing);
  expect_refusal(server(), 5, {"restpipe.server.key.pem"});
}

TEST_F(StartupTest, AnExpiredCertificate) {
  certs::testing::TestPki pki;
  expect_refusal(server({.identity = pki.server(Kind::expired)}), 6, {"expired"});
}

TEST_F(StartupTest, ACertificateOfTheFuture) {
  certs::testing::TestPki pki;
  expect_refusal(server({.identity = pki.server(Kind::future)}), 6, {"valid"});
}

TEST_F(StartupTest, APluginThatIsNotThere) {
  const auto nowhere = authority_.scratch("nowhere.so");
  expect_refusal(server({.flags = {"--handlers", nowhere.string()}}), 7, {nowhere.string()});
}

TEST_F(StartupTest, APluginOfAnotherAbi) {
  expect_refusal(server({.flags = {"--handlers", RP_ABI_PLUGIN}}), 7, {RP_ABI_PLUGIN, "ABI"});
}

TEST_F(StartupTest, APluginThatOthersCanReplace) {
  const auto plugin = authority_.scratch("loose.so");
  std::filesystem::copy_file(RP_PARITY_PLUGIN, plugin);
  std::filesystem::permissions(plugin, std::filesystem::perms(0777));
  expect_refusal(server({.flags = {"--handlers", plugin.string()}}), 7, {plugin.string()});
}

TEST_F(StartupTest, AnUnknownFlag) {
  const auto result = run(server({.flags = {"--no-such-flag"}}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.err, "--no-such-flag")) << result.err;
}

TEST_F(StartupTest, AConfigurationThatIsWrongNamesFileAndLine) {
  const auto file = authority_.scratch("node.toml");
  write_text(file, "[log]\nlevel = \"info\"\n\n[log2]\nlevel = 7\n");
  expect_refusal(server({.flags = {"--config", file.string()}}), 3, {file.string() + ":4", "log2"});
  write_text(file, "[log]\nlevel = \"loud\"\n");
  expect_refusal(server({.flags = {"--config", file.string()}}), 3,
                 {file.string() + ":2", "loud", "debug", "info", "warning", "error"});
  write_text(file, "[log\n");
  expect_refusal(server({.flags = {"--config", file.string()}}), 3, {file.string() + ":1"});
}

TEST_F(StartupTest, AValueThatIsWrongOnTheCommandLine) {
  expect_refusal(server({.flags = {"--heartbeat-interval", "soon"}}), 3,
                 {"heartbeat-interval", "soon"});
}

TEST_F(StartupTest, AConfigurationThatDoesNotExist) {
  const auto nowhere = authority_.scratch("nowhere.toml");
  expect_refusal(server({.flags = {"--config", nowhere.string()}}), 3, {nowhere.string()});
}

}  // namespace
}  // namespace rp::product
