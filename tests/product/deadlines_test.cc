#include <charconv>
#include <ctime>

#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/socket.h"

/// The time that a request has: who sees it, who says that it is over, and where it went.
namespace rp::product {
namespace {

/// Seconds since 1970 as a header takes them.
std::string unix_time(TestClock::duration from_now) {
  const auto then = std::chrono::system_clock::now() +
                    std::chrono::duration_cast<std::chrono::system_clock::duration>(from_now);
  const std::chrono::duration<double> seconds = then.time_since_epoch();
  char text[32];
  const auto end =
      std::to_chars(text, text + sizeof text, seconds.count(), std::chars_format::fixed, 3).ptr;
  return {text, end};
}

std::string rfc3339(TestClock::duration from_now) {
  const auto then = std::chrono::system_clock::to_time_t(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(from_now));
  char text[32];
  std::tm parts{};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", ::gmtime_r(&then, &parts));
  return text;
}

void expect_504(const Response& response, std::string_view detail) {
  EXPECT_EQ(response.status, 504);
  EXPECT_TRUE(contains(response.body, "\"deadline_exceeded\"")) << response.body;
  EXPECT_TRUE(contains(response.body, detail)) << response.body;
}

class DeadlineTest : public LabTest {
 protected:
  /// Where a node's requests to the other one go.
  std::vector<std::string> ways() const { return {C("/server/"), S("/client/alpha/")}; }

  /// What the handler sees of the time, in milliseconds.
  static int time_left(const std::string& url, const std::string& header) {
    return std::atoi(curl({"-H", header, url}).body.c_str());
  }
};

// ---- What handlers see -------------------------------------------------------------------------

TEST_F(DeadlineTest, EveryKindOfHandlerSeesTheTimeLeft) {
  start_methods_pair();
  script("get_env", "echo $RESTPIPE_TIME_LEFT_MS $RESTPIPE_DEADLINE");
  for (const auto& way : ways()) {
    for (const auto& header : {"Request-Timeout: 8", "Request-Timeout: 8.0"}) {
      EXPECT_LE(time_left(way + "time/left", header), 8'000) << header;
      EXPECT_GT(time_left(way + "time/left", header), 4'000) << header;
    }
    for (const auto& at : {unix_time(8s), rfc3339(9s)}) {
      const auto left = time_left(way + "time/left", "X-Request-Deadline: " + at);
      EXPECT_LE(left, 9'000) << at;
      EXPECT_GT(left, 4'000) << at;
    }
    const auto env = curl({"-H", "Request-Timeout: 8", way + "env"}).body;
    const auto now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    EXPECT_GT(std::atoi(env.c_str()), 4'000) << env;
    EXPECT_LE(std::atoi(env.c_str()), 8'000) << env;
    EXPECT_NEAR(std::atof(env.c_str() + env.find(' ')), now + 8, 4) << env;
  }
}

TEST_F(DeadlineTest, TheEarlierOfBothHeadersCounts) {
  start_methods_pair();
  for (const auto& way : ways()) {
    const auto response = curl({"-H", "Request-Timeout: 60", "-H",
                                "X-Request-Deadline: " + unix_time(8s), way + "time/left"});
    EXPECT_LE(std::atoi(response.body.c_str()), 8'000);
  }
}

TEST_F(DeadlineTest, TheConfigurationHasTheDefault) {
  start_methods_pair({"--call-timeout", "30"});
  for (const auto& way : ways()) {
    const auto left = std::atoi(curl({way + "time/left"}).body.c_str());
    EXPECT_LE(left, 30'000);
    EXPECT_GT(left, 20'000);
    EXPECT_GT(time_left(way + "time/left", "Request-Timeout: 90"), 60'000) << "it may ask for more";
  }
}

// ---- Bad values --------------------------------------------------------------------------------

TEST_F(DeadlineTest, WhatIsNoTimeIsRefusedAndRunsNothing) {
  start_methods_pair();
  const auto refused = [&](const std::string& url, const std::string& header) {
    SCOPED_TRACE(header);
    const auto response = curl({"-H", header, "-d", "x", url});
    expect_refusal(response, 400);
    return response.body;
  };
  for (const auto& way : ways()) {
    for (const char* value : {"0", "-1", "soon", "1s", "1e3", "nan", "inf", "0x10", "1 2", "1,5"}) {
      const auto body = refused(way + "run//bad", "Request-Timeout: " + std::string(value));
      EXPECT_TRUE(contains(body, "Request-Timeout is not a positive number of seconds")) << body;
    }
    for (const char* value : {"tomorrow", "-5", "0", "2026-13-01T00:00:00Z", "2026-11-21 05:00:00Z",
                              "2026-11-21T05:00:00", "2026-11-21T25:00:00Z"}) {
      const auto body = refused(way + "run//bad", "X-Request-Deadline: " + std::string(value));
      EXPECT_TRUE(contains(body, "X-Request-Deadline is neither a time such as")) << body;
    }
    EXPECT_EQ(curl({way + "runs/of//bad"}).body, "0");
  }
}

TEST_F(DeadlineTest, ADeadlineThatHasPassedIs504AndRunsNothing) {
  start_methods_pair();
  for (const auto& way : ways()) {
    const auto late =
        curl({"-H", "X-Request-Deadline: 2001-01-01T00:00:00Z", "-d", "x", way + "run//late"});
    expect_504(late, "had passed when it arrived; the handler has not run");
    EXPECT_TRUE(contains(late.body, "\"may_have_run\":false")) << late.body;
    EXPECT_EQ(curl({way + "runs/of//late"}).body, "0");
  }
}

// ---- Who ran out of time -----------------------------------------------------------------------

/// The answer of the node that knows has 50 ms for its way back, which a busy machine may need for
/// something else; then the caller's own node speaks. Not every time.
void expect_named(const std::string& url, std::string_view detail, bool may_have_run) {
  Response late;
  EXPECT_TRUE(eventually([&] {
    late = curl({"-H", "Request-Timeout: 1", url});
    return contains(late.body, detail);
  })) << late.body;
  EXPECT_EQ(late.status, 504);
  EXPECT_LT(late.seconds, 15);
  EXPECT_TRUE(
      contains(late.body, may_have_run ? "\"may_have_run\":true" : "\"may_have_run\":false"))
      << late.body;
}

TEST_F(DeadlineTest, TheAnswerNamesTheHandlerThatRanOutOfTime) {
  start_methods_pair();
  script("get_wait_long", "exec sleep 600");
  for (const auto& way : ways()) {
    expect_named(way + "wait//a", "time ran out in its handler get_wait\"", true);
    expect_named(way + "wait/long", "time ran out in its handler get", true);
  }
}

TEST_F(DeadlineTest, TheAnswerNamesTheQueueWhereTheTimeRanOut) {
  start_methods_pair({"--worker-threads", "1"});
  for (const auto& way : ways()) {
    CurlRun busy({way + "wait//busy"});
    ASSERT_TRUE(eventually([&] { return curl({way + "runs/of//busy"}).body == "1"; }));
    expect_named(way + "sleep//0", "time ran out while it waited for a worker", false);
  }
}

TEST_F(DeadlineTest, TheAnswerNamesThePipeThatWasNotThere) {
  start_methods_pair();
  server_.reset();
  // The first request may still find the pipe that has just been lost.
  expect_named(C("/server/run//unsent"), "time ran out before a pipe to the node was open", false);
  const auto late = curl({"-H", "Request-Timeout: 0.2", C("/server/run//unsent")});
  expect_504(late, "the handler has not run");
  EXPECT_TRUE(contains(late.body, "\"may_have_run\":false")) << late.body;
}

TEST_F(DeadlineTest, TheAnswerNamesTheCallerWhoseBodyDidNotCome) {
  start_methods_pair();
  for (const auto& [port, path] : {std::pair(client_->rest_port(), "/server/run//half"),
                                   std::pair(server_->rest_port(), "/client/alpha/run//half")}) {
    std::string answer;
    EXPECT_TRUE(eventually([&] {
      answer = raw_http(port, "POST " + std::string(path) +
                                  " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                  "Request-Timeout: 1\r\nContent-Length: 400000\r\n\r\n" +
                                  std::string(200'000, 'x'));
      return contains(answer, "time ran out while the request's body was read");
    })) << answer;
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 504 ")) << answer;
  }
}

TEST_F(DeadlineTest, TheAnswerNamesTheWaitForANodeThatIsAway) {
  start_methods_pair();
  const auto late = curl({"-H", "Request-Timeout: 0.3", S("/client/192.0.2.7/time")});
  expect_504(late, "the handler has not run");
}

// ---- Where the time went -----------------------------------------------------------------------

/// Milliseconds of one part of a Server-Timing header; -1 without it.
double part_of(const Response& response, const std::string& name) {
  const auto timing = response.header("server-timing").value_or("");
  const auto at = timing.find(name + ";dur=");
  return at == timing.npos ? -1 : std::atof(timing.c_str() + at + name.size() + 5);
}

TEST_F(DeadlineTest, AnswersSayWhereTheirTimeWent) {
  start_methods_pair({"--worker-threads", "1"});
  script("get_nap", "sleep 0.3; echo rested");
  for (const auto& way : ways()) {
    const auto slept = curl({way + "sleep//0.3"});
    for (const char* part : {"gate", "queue", "wire", "handler", "back"}) {
      EXPECT_GE(part_of(slept, part), 0)
          << part << " is not in " << slept.header("server-timing").value_or("no header");
    }
    EXPECT_GE(part_of(slept, "handler"), 300);
    EXPECT_LT(part_of(slept, "wire"), part_of(slept, "handler"));
    EXPECT_GE(part_of(curl({way + "nap"}), "handler"), 300) << "an executable";

    CurlRun first({way + "sleep//0.6"});
    ASSERT_TRUE(eventually([&] {  // the only worker is taken
      return contains(curl({way.substr(0, way.find('/', 7)) + "/nodes"}).body,
                      "\"in_flight_to_node\":1");
    }));
    const auto second = curl({way + "sleep//0"});
    EXPECT_GE(part_of(second, "queue"), 100) << "it waited for the worker";
    EXPECT_LT(part_of(second, "handler"), part_of(second, "queue"));
    first.finish();
  }
}

TEST_F(DeadlineTest, ASlowCallGetsALineThatSaysWhereItsTimeWent) {
  start_methods_pair({"--slow-call", "0.25"});
  const auto slow = curl({C("/server/sleep//0.4")});
  const auto line = client_->process().err_line("A call was slow");
  ASSERT_TRUE(line) << client_->log();
  EXPECT_TRUE(contains(*line, slow.header("x-request-id").value_or("absent"))) << *line;
  EXPECT_TRUE(contains(*line, "method=\"get sleep\"")) << *line;
  for (const char* part :
       {"total_ms=", "gate_ms=", "queue_ms=", "wire_ms=", "handler_ms=", "back_ms="}) {
    EXPECT_TRUE(contains(*line, part)) << part << " is not in: " << *line;
  }
  const auto handler = line->find("handler_ms=");
  EXPECT_GE(std::atof(line->c_str() + handler + 11), 400) << *line;
  EXPECT_FALSE(contains(server_->log(), "A call was slow")) << "its caller is another node's";
}

TEST_F(DeadlineTest, AQuickCallGetsNone) {
  start_methods_pair({"--slow-call", "5"});
  curl({C("/server/sleep//0.1")});
  EXPECT_FALSE(contains(client_->log(), "A call was slow"));
}

}  // namespace
}  // namespace rp::product
