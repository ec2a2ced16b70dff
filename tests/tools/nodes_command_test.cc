#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/program_run.h"
#include "tests/tools/scripted_server.h"

namespace rp::tools {
namespace {

using testing::HasSubstr;

Outcome nodes(const std::string& status, const std::string& body,
              const std::vector<std::string>& more = {}) {
  ScriptedServer server("HTTP/1.1 " + status +
                        "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  std::vector<std::string> arguments{"nodes", "--rest", server.address()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run(arguments);
}

TEST(NodesCommandTest, MakesATableOfWhatTheNodesHave) {
  const Outcome outcome = nodes("200 OK", R"({"nodes":[{"name":"alpha","calls":2},)"
                                          R"({"name":"b","address":"10.0.0.7"}]})");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out,
            "NAME   CALLS  ADDRESS\n"
            "alpha  2      -\n"
            "b      -      10.0.0.7\n");
}

TEST(NodesCommandTest, CellsCannotDisturbTheTerminal) {
  const Outcome outcome = nodes("200 OK", R"([{"name":"a\u001b[2J\nb"}])");
  EXPECT_EQ(outcome.out, "NAME\na\\x1b[2J\\x0ab\n");
}

TEST(NodesCommandTest, AnEmptyListIsNoError) {
  const Outcome outcome = nodes("200 OK", R"({"nodes":[]})");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "no node is connected\n");
}

TEST(NodesCommandTest, PassesTheDocumentOnAsItIs) {
  const std::string body = R"({"nodes":[{"name":"alpha"}]})";
  EXPECT_EQ(nodes("200 OK", body, {"--output", "json"}).out, body + '\n');
}

TEST(NodesCommandTest, SaysWhatTheAnswerWasInstead) {
  Outcome outcome = nodes("200 OK", "hello");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("the answer is not a list of nodes"));
  outcome = nodes("404 Not Found", "not found");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("/nodes answered with status 404"));
}

}  // namespace
}  // namespace rp::tools
