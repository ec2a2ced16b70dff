#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/temporary_directory.h"
#include "tests/tools/program_run.h"
#include "tests/tools/scripted_server.h"

namespace rp::tools {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string reply(const std::string& code, const std::string& body) {
  return "HTTP/1.1 200 OK\r\nX-Event-Return-Code: " + code +
         "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

Outcome call(ScriptedServer& server, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "call");
  arguments.insert(arguments.end(), {"--rest", server.address(), "--timeout", "20"});
  return run(arguments);
}

TEST(CallCommandTest, PrintsTheBodyAndEndsWithTheEventsCode) {
  struct Row {
    const char* code;
    int exit_code;
  };
  for (const Row& row : {Row{"0", 0}, Row{"1", 1}, Row{"42", 42}, Row{"251", 251}, Row{"255", 255},
                         Row{"256", 125}, Row{"4294967295", 125}, Row{"x", 125}, Row{"", 125}}) {
    ScriptedServer server(reply(row.code, "hello"));
    const Outcome outcome = call(server, {"/server/time"});
    EXPECT_EQ(outcome.exit_code, row.exit_code) << row.code;
    EXPECT_EQ(outcome.out, "hello");
    EXPECT_THAT(outcome.err, IsEmpty());
    EXPECT_THAT(server.request(), StartsWith("GET /server/time HTTP/1.1\r\n"));
  }
}

TEST(CallCommandTest, SendsMethodHeadersAndBody) {
  ScriptedServer server(reply("0", ""));
  call(server,
       {"put", "/server/x y", "-d", "a\x01z", "-H", "Content-Type: text/csv", "-H", "X-A:b"});
  const std::string request = server.request();
  EXPECT_THAT(request, StartsWith("PUT /server/x%20y HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nHost: " + server.address() + "\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nContent-Type: text/csv\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nX-A: b\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nContent-Length: 3\r\n"));
  EXPECT_THAT(request, testing::EndsWith("\r\n\r\na\x01z"));
}

TEST(CallCommandTest, DataMakesAPostAndMayComeFromAFile) {
  const node::TemporaryDirectory directory;
  const std::string bytes("\0\xff{}", 4);
  const auto file = directory.write("body", bytes);
  ScriptedServer server(reply("0", ""));
  call(server, {"/server/x", "-d", "@" + file.string()});
  const std::string request = server.request();
  EXPECT_THAT(request, StartsWith("POST /server/x "));
  EXPECT_EQ(request.substr(request.size() - 4), bytes);
}

TEST(CallCommandTest, ShowsTheHeadWhenAsked) {
  ScriptedServer server(reply("7", "x"));
  const Outcome outcome = call(server, {"-i", "/server/x"});
  EXPECT_THAT(outcome.out, StartsWith("HTTP/1.1 200 OK\nX-Event-Return-Code: 7\n"));
  EXPECT_THAT(outcome.out, testing::EndsWith("\n\nx"));
}

TEST(CallCommandTest, AHeadRequestHasNoBodyToWaitFor) {
  ScriptedServer server("HTTP/1.1 200 OK\r\nX-Event-Return-Code: 0\r\nContent-Length: 9\r\n\r\n");
  EXPECT_EQ(call(server, {"HEAD", "/server/x"}).exit_code, 0);
}

TEST(CallCommandTest, AnHttpErrorIsTwentyTwoWithItsDetailOnStderr) {
  const std::string problem = R"({"title":"t","detail":"no pipe\nto the peer"})";
  ScriptedServer server("HTTP/1.1 503 Service Unavailable\r\nContent-Length: " +
                        std::to_string(problem.size()) + "\r\n\r\n" + problem);
  const Outcome outcome = call(server, {"/client/x/time"});
  EXPECT_EQ(outcome.exit_code, 22);
  EXPECT_EQ(outcome.err, "restpipe call: 503 Service Unavailable: \"no pipe\\x0ato the peer\"\n");
  EXPECT_THAT(outcome.out, IsEmpty());
}

TEST(CallCommandTest, APlainErrorTextIsShownToo) {
  ScriptedServer server("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found");
  const Outcome outcome = call(server, {"/x"});
  EXPECT_EQ(outcome.exit_code, 22);
  EXPECT_EQ(outcome.err, "restpipe call: 404 Not Found: \"not found\"\n");
}

TEST(CallCommandTest, APageOfTheNodeThatIsNoEventIsZero) {
  ScriptedServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const Outcome outcome = call(server, {"/healthz"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "ok");
}

TEST(CallCommandTest, StreamsAChunkedAnswer) {
  ScriptedServer server(
      "HTTP/1.1 200 OK\r\nX-Event-Return-Code: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(call(server, {"/server/x"}).out, "abcde");
}

TEST(CallCommandTest, SaysWhyThereIsNoAnswer) {
  std::string closed;
  {
    ScriptedServer server("");
    closed = server.address();
    const Outcome outcome = call(server, {"/server/x"});
    EXPECT_EQ(outcome.exit_code, 56);
    EXPECT_THAT(outcome.err, HasSubstr(": no answer: "));
  }
  Outcome outcome = run({"call", "/server/x", "--rest", closed});
  EXPECT_EQ(outcome.exit_code, 7);
  EXPECT_THAT(outcome.err, HasSubstr(closed + ": cannot connect: Connection refused"));

  outcome = run({"call", "/server/x", "--rest", "unix:/nonexistent/x.sock"});
  EXPECT_EQ(outcome.exit_code, 7);
  EXPECT_THAT(outcome.err, HasSubstr("unix:/nonexistent/x.sock: cannot connect: No such file"));
}

TEST(CallCommandTest, AnAnswerThatBreaksOffIsFiftySix) {
  ScriptedServer server(
      "HTTP/1.1 200 OK\r\nX-Event-Return-Code: 0\r\nContent-Length: 10\r\n\r\nabc");
  const Outcome outcome = call(server, {"/server/x"});
  EXPECT_EQ(outcome.exit_code, 56);
  EXPECT_EQ(outcome.out, "abc");
  EXPECT_THAT(outcome.err, HasSubstr("the answer breaks off"));
}

TEST(CallCommandTest, GivesUpAfterTheTimeout) {
  ScriptedServer server("", true);
  const Outcome outcome =
      run({"call", "/server/x", "--rest", server.address(), "--timeout", "0.2"});
  EXPECT_EQ(outcome.exit_code, 28);
  EXPECT_THAT(outcome.err, HasSubstr("nothing came for 0.2 s"));
}

TEST(CallCommandTest, RefusesWhatCannotBeSent) {
  struct Row {
    std::vector<std::string> arguments;
    const char* expected;
  };
  for (const Row& row : {Row{{"GE T", "/x"}, "is not an HTTP method"},
                         Row{{"GET", "/x", "-X", "PUT"}, "given twice"},
                         Row{{"/x", "-H", "nocolon"}, "accepted: 'Name: value'"},
                         Row{{"/x", "-H", "A: b\r\nC: d"}, "accepted: 'Name: value'"},
                         Row{{"/x", "-d", "@/nonexistent"}, "accepted: DATA, @FILE or -"},
                         Row{{"/x", "--timeout", "0"}, "seconds above 0"},
                         Row{{"https://a/x"}, "https is not spoken"}}) {
    std::vector<std::string> arguments{"call"};
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(row.expected));
  }
}

}  // namespace
}  // namespace rp::tools
