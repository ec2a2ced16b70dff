#include <string>

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/mesh.h"

/// Who may run what where, on running nodes.
namespace rp::product {
namespace {

class PolicyTest : public MeshTest {};

constexpr std::string_view kPrinters = R"(default = "deny"

[[rule]]
from = "*"
to = "server"
nouns = ["time", "echo"]
decision = "allow"

[[rule]]
from = "desk-*"
to = "printer"
verbs = ["get", "post"]
nouns = ["echo", "verb"]
decision = "allow"
comment = "desks print"
)";

TEST_F(PolicyTest, WithoutAFileClientsReachTheServerOnly) {
  start_server("");
  connect("alpha");
  connect("beta");
  expect_time(curl({on("alpha", "/server/time")}), "time_from_server");
  expect_time(curl({S("/client/beta/time")}), "time_from_client");
  expect_refusal(curl({on("alpha", "/client/beta/time")}), 403);
  expect_refusal(curl({on("alpha", "/client/*/time")}), 403);
  const auto unknown = curl({on("alpha", "/client/x/time")});
  expect_refusal(unknown, 404);
  EXPECT_EQ(unknown.body, "not found");
}

TEST_F(PolicyTest, TheRulesDecideAndRefusalsAreLoggedWithTheirLine) {
  start_server(kPrinters);
  connect("desk-1");
  connect("printer");
  EXPECT_EQ(curl({on("desk-1", "/client/printer/verb")}).body, "get");
  EXPECT_EQ(curl({"-X", "POST", "-d", "x", on("desk-1", "/client/printer/verb")}).body, "post");
  expect_time(curl({on("printer", "/server/time")}), "time_from_server");

  const auto refused = curl({"-X", "DELETE", "-H", "Accept: application/json", "-H",
                             "X-Request-Id: r-refused", on("desk-1", "/client/printer/verb//a")});
  expect_refusal(refused, 403);
  EXPECT_TRUE(contains(refused.body, "\"code\":\"forbidden\"")) << refused.body;
  EXPECT_FALSE(contains(refused.body, "toml")) << "the rules are nobody's business";
  const auto line = server_->process().err_line("r-refused").value_or("");
  for (const char* part :
       {"from=desk-1", "to=printer", "verb=delete", "noun=verb", "policy.toml:1 (default)"}) {
    EXPECT_TRUE(contains(line, part)) << line;
  }
  EXPECT_FALSE(contains(line, "//a")) << "arguments may be payload";

  expect_refusal(curl({on("printer", "/client/desk-1/verb")}), 403);
  expect_refusal(curl({on("printer", "/client/nobody/verb")}), 403);
  expect_refusal(curl({on("printer", "/server/verb")}), 403);
  expect_refusal(curl({on("desk-1", "/client/printer/time")}), 403);
}

TEST_F(PolicyTest, ACallToAllReachesThoseThatTheCallerMayAsk) {
  start_server(kPrinters);
  connect("desk-1");
  connect("printer");
  const auto object = curl({on("desk-1", "/client/*/verb")});
  EXPECT_EQ(object.status, 200);
  EXPECT_EQ(object.body,
            "{\"printer\":{\"code\":0,\"content_type\":\"application/json\",\"body\":\"get\"}}\n");
  EXPECT_TRUE(contains(curl({S("/client/*/verb")}).body, "\"desk-1\""))
      << "the server's own programs are asked nothing";
}

TEST_F(PolicyTest, AClientNodeHasAPolicyOfItsOwn) {
  start_server(kOpenPolicy);
  connect("alpha");
  connect("beta");
  const auto file = authority_.scratch("gamma.toml");
  write_text(file,
             "[[rule]]\nfrom = ['alpha', 'hub']\nto = 'gamma'\nnouns = 'verb'\ndecision = "
             "'allow'\n");
  connect("gamma", {"--policy", file.string()});
  EXPECT_EQ(curl({on("alpha", "/client/gamma/verb")}).body, "get");
  EXPECT_EQ(curl({S("/client/gamma/verb")}).body, "get");
  expect_refusal(curl({on("alpha", "/client/gamma/time")}), 403);
  expect_refusal(curl({on("beta", "/client/gamma/verb")}), 403);
  expect_refusal(curl({S("/client/gamma/time")}), 403);
  EXPECT_TRUE(node("gamma").process().err_line("from=beta to=gamma"));
}

TEST_F(PolicyTest, AChangedFileIsInUseWithoutLosingAPipe) {
  start_server(kPrinters);
  connect("desk-1");
  connect("printer");
  CurlRun running({S("/client/printer/sleep//2")});
  expect_refusal(curl({on("printer", "/client/desk-1/verb")}), 403);
  ASSERT_TRUE(change_policy(kOpenPolicy, "A changed policy is in use"));
  EXPECT_EQ(curl({on("printer", "/client/desk-1/verb")}).body, "get");

  ASSERT_TRUE(change_policy("default = \"deny\"\n[[rule]]\nfrom = \"*\"\ndecison = \"allow\"\n",
                            "The changed policy is not usable"));
  const auto line = server_->process().err_line("The changed policy is not usable");
  EXPECT_TRUE(contains(*line, "policy.toml:2:1") || contains(*line, "policy.toml:4:1")) << *line;
  EXPECT_EQ(curl({on("printer", "/client/desk-1/verb")}).body, "get") << "the last one stays";
  EXPECT_EQ(running.finish().body, "slept");
  EXPECT_FALSE(contains(server_->log(), "Pipe is down")) << server_->log();
}

TEST_F(PolicyTest, AChangedFileIsNoticedWithoutASignal) {
  start_server(kPrinters);
  connect("alpha");
  expect_refusal(curl({on("alpha", "/server/verb")}), 403);
  write_text(policy_file(), kOpenPolicy);
  EXPECT_TRUE(eventually([&] { return curl({on("alpha", "/server/verb")}).status == 200; }));
}

TEST_F(PolicyTest, ABrokenFileStopsTheStartWithItsLine) {
  write_text(policy_file(), "defualt = \"deny\"\n");
  const auto finished =
      run(node_command(Role::server, {.identity = authority_.server(),
                                      .flags = {"--policy", policy_file().string()}}));
  EXPECT_EQ(finished.exit_code, 3);
  EXPECT_TRUE(contains(finished.err, "policy.toml:1:1: unknown key \"defualt\"")) << finished.err;
  EXPECT_EQ(lines_of(finished.err).size(), 1U) << finished.err;
}

TEST_F(PolicyTest, ExplainSaysWhatTheServerWillDo) {
  write_text(policy_file(), kPrinters);
  const auto explain = [&](std::vector<std::string> question) {
    question.insert(question.begin(), {"policy", "explain", "--policy", policy_file().string()});
    return restpipe(std::move(question));
  };
  const auto allowed = explain({"--from", "desk-1", "--to", "printer", "POST", "echo"});
  EXPECT_EQ(allowed.exit_code, 0);
  EXPECT_TRUE(contains(allowed.out, "allowed: desk-1 -> printer: post echo")) << allowed.out;
  EXPECT_TRUE(contains(allowed.out, "policy.toml:9")) << allowed.out;
  EXPECT_TRUE(contains(allowed.out, "desks print")) << allowed.out;
  const auto denied = explain({"--from", "guest", "--to", "server", "GET", "verb"});
  EXPECT_EQ(denied.exit_code, 1);
  EXPECT_TRUE(contains(denied.out, "policy.toml:1 (default)")) << denied.out;
  EXPECT_EQ(explain({"GET", "verb"}).exit_code, 2);
  EXPECT_EQ(restpipe({"policy", "check", policy_file().string()}).exit_code, 0);
}

}  // namespace
}  // namespace rp::product
