#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/program_run.h"
#include "tests/tools/scripted_server.h"
#include "tools/restpipe/event_stream.h"

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

TEST(NodesCommandTest, ThoseWithoutALinkComeLast) {
  const Outcome outcome = nodes("200 OK", R"({"nodes":[{"name":"b"}],"detached":[{"name":"a"}]})");
  EXPECT_EQ(outcome.out, "NAME\nb\na\n");
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

/// A stream that ends after these events.
Outcome watch(const std::string& events, const std::vector<std::string>& more = {}) {
  ScriptedServer server(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + events);
  std::vector<std::string> arguments{"nodes", "--watch", "--rest", server.address()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  Outcome outcome = run(arguments);
  EXPECT_THAT(server.request(), HasSubstr("\r\nAccept: text/event-stream\r\n"));
  return outcome;
}

constexpr const char* kEvents =
    "retry: 2000\nevent: snapshot\nid: 4\ndata: {\"nodes\":[{\"name\":\"alpha\"}]}\n\n"
    ": still here\n\n"
    "event: joined\nid: 5\ndata: {\"name\":\"b\",\"address\":\"10.0.0.7\"}\n\n"
    "event: left\nid: 6\ndata: {\"name\":\"alpha\",\"reason\":\"it is \\u001b[2J gone\"}\n\n";

TEST(NodesCommandTest, WatchesWhoJoinsAndLeaves) {
  const Outcome outcome = watch(kEvents);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out,
            "NAME\nalpha\n"
            "joined name=b address=10.0.0.7\n"
            "left name=alpha reason=\"it is \\x1b[2J gone\"\n");
  EXPECT_THAT(outcome.err, HasSubstr("the node ended the stream"));
}

TEST(NodesCommandTest, WatchesAsLinesOfJson) {
  const Outcome outcome = watch(kEvents, {"--output", "json"});
  EXPECT_THAT(outcome.out,
              HasSubstr(R"({"event":"joined","data":{"name":"b","address":"10.0.0.7"}})"
                        "\n"));
}

TEST(NodesCommandTest, AnEventThatIsNoJsonEndsTheWatch) {
  const Outcome outcome = watch("event: joined\ndata: hello\n\n");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("an event is not JSON"));
}

TEST(EventStreamTest, ReadsEventsHoweverTheyAreCut) {
  const std::string text =
      "data: one\r\ndata:two\r\n\r\n: comment\n\nevent: x\nid: 1\ndata\n\nevent: y\n\n";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    std::vector<std::string> seen;
    EventStream stream([&](const EventStream::Event& e) { seen.push_back(e.name + '|' + e.data); });
    for (std::size_t at = 0; at < text.size(); at += size) {
      EXPECT_TRUE(stream.feed(std::string_view(text).substr(at, size)));
    }
    EXPECT_THAT(seen, testing::ElementsAre("message|one\ntwo", "x|")) << size;
  }
}

TEST(EventStreamTest, AnEventWithoutAnEndIsNotHeldForEver) {
  EventStream stream([](const EventStream::Event&) {});
  EXPECT_FALSE(stream.feed(std::string(EventStream::kEventBytesMax + 1, 'x')));
}

}  // namespace
}  // namespace rp::tools
