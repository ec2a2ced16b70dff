#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "tests/product/harness/lab.h"
#include "tests/product/harness/socket.h"

/// The command beside its nodes: call, nodes, config, version, completion.
namespace rp::product {
namespace {

class CommandsTest : public LabTest {
 protected:
  /// `restpipe call ARGUMENTS...` through the client node.
  Finished call(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), {RP_RESTPIPE, "call"});
    arguments.insert(arguments.end(),
                     {"--rest", "127.0.0.1:" + std::to_string(client_->rest_port())});
    return run({.argv = std::move(arguments), .input = input});
  }
};

TEST_F(CommandsTest, CallPrintsTheBodyAndExitsWithTheCode) {
  start_parity_pair();
  const auto number = call({"/server/number"});
  EXPECT_EQ(number.exit_code, 0) << number.err;
  EXPECT_TRUE(number.out.starts_with("5")) << number.out;
  EXPECT_EQ(call({"/server/reply_triple"}).exit_code, 42);
  EXPECT_EQ(call({"/server/nope"}).exit_code, 255);
  EXPECT_EQ(call({"/server/raise"}).exit_code, 251);
}

TEST_F(CommandsTest, CallSendsDataFromArgumentFileAndInput) {
  start_parity_pair();
  EXPECT_EQ(call({"POST", "/server/echo", "-d", "words"}).out, "words");
  EXPECT_EQ(call({"/server/echo", "-X", "put", "-d", "@-"}, "from stdin").out, "from stdin");
  const auto file = authority_.scratch("data");
  write_text(file, std::string("a\0b", 3));
  EXPECT_EQ(call({"post", "/server/echo", "-d", "@" + file.string()}).out, std::string("a\0b", 3));
}

TEST_F(CommandsTest, CallTellsWhyThereIsNoAnswer) {
  start_parity_pair();
  const auto not_found = call({"/nowhere"});
  EXPECT_EQ(not_found.exit_code, 22);
  EXPECT_TRUE(contains(not_found.err, "404")) << not_found.err;
  const auto nobody = port_of(listen_on_loopback());
  const auto refused =
      restpipe({"call", "http://127.0.0.1:" + std::to_string(nobody) + "/server/time"});
  EXPECT_EQ(refused.exit_code, 7);
  EXPECT_EQ(lines_of(refused.err).size(), 1u) << refused.err;
  EXPECT_EQ(call({"/server/sleep//5", "--timeout", "0.3"}).exit_code, 28);
}

TEST_F(CommandsTest, NodesListsTheConnectedClients) {
  start_pair();
  const auto rest = "127.0.0.1:" + std::to_string(server_->rest_port());
  const auto text = restpipe({"nodes", "--rest", rest});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "alpha")) << text.out;
  const auto json = restpipe({"nodes", "--rest", rest, "--output", "json"});
  EXPECT_EQ(json.exit_code, 0) << json.err;
  boost::system::error_code ec;
  boost::json::parse(json.out, ec);
  EXPECT_FALSE(ec) << json.out;
}

TEST_F(CommandsTest, ConfigCheckNamesTheLine) {
  const auto file = authority_.scratch("node.toml");
  write_text(file, "name = \"hub\"\n[heartbeat]\ninterval = 2\n");
  const auto good = restpipe({"config", "check", "--config", file.string(), "server"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  write_text(file, "name = \"hub\"\n[heartbeat]\nintervall = 2\n");
  const auto bad = restpipe({"config", "check", "--config", file.string(), "server"});
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_TRUE(contains(bad.err, file.string() + ":3")) << bad.err;
  EXPECT_TRUE(contains(bad.err, "interval")) << bad.err;
}

TEST_F(CommandsTest, VersionAndHelpAndCompletion) {
  const auto version = restpipe({"version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_TRUE(version.out.starts_with("restpipe ")) << version.out;
  const auto help = restpipe({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* command : {"server", "client", "identity", "call", "nodes", "config"}) {
    EXPECT_TRUE(contains(help.out, command)) << help.out;
  }
  const auto completion = restpipe({"completion", "bash"});
  EXPECT_EQ(completion.exit_code, 0);
  const auto checked = run({.argv = {"bash", "-n"}, .input = completion.out});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  EXPECT_EQ(restpipe({"frobnicate"}).exit_code, 2);
}

}  // namespace
}  // namespace rp::product
