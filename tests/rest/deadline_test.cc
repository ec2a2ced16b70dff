#include "rest/deadline.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "tests/rest/gateway_fixture.h"

namespace rp::rest::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::system_clock;

TEST(ParseTimeTest, TakesRfc3339AndUnixSeconds) {
  const auto expected = system_clock::from_time_t(1'795'237'443);
  for (const char* text : {"1795237443", "2026-11-21T05:04:03Z", "2026-11-21t05:04:03z",
                           "2026-11-21T06:34:03+01:30", "2026-11-20T21:04:03-08:00"}) {
    EXPECT_EQ(parse_time(text), expected) << text;
  }
  EXPECT_EQ(parse_time("2026-11-21T05:04:03.25Z"), expected + 250ms);
  EXPECT_EQ(parse_time("1795237443.5"), expected + 500ms);
}

TEST(ParseTimeTest, RefusesEverythingElse) {
  for (const char* text :
       {"", "tomorrow", "-5", "0", "nan", "2026-11-21", "2026-11-21 05:04:03Z",
        "2026-11-21T05:04:03", "2026-13-21T05:04:03Z", "2026-02-30T05:04:03Z",
        "2026-11-21T24:04:03Z", "2026-11-21T05:04:03.Z", "2026-11-21T05:04:03+1:00",
        "2026-11-21T05:04:03+01:00x", "Sat, 21 Nov 2026 05:04:03 GMT"}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
}

class DeadlineTest : public EventGatewayTest {
 protected:
  /// How long the event of a request with these headers has; nothing when there was no event.
  std::optional<pipe::Clock::duration> time_for(const std::string& headers) {
    reply_with({}, "");
    answer_ = front_->ask(get("/server/x", headers));
    if (answer_.status != 200) return std::nullopt;
    const auto submission = target_.submissions.take();
    return submission->event.deadline - pipe::Clock::now();
  }
  Answer answer_;
};

std::string in(std::chrono::seconds time) {
  return std::to_string(system_clock::to_time_t(system_clock::now() + time));
}

TEST_F(DeadlineTest, TheEarlierOfBothHeadersCounts) {
  serve();
  const auto late = time_for("Request-Timeout: 50\r\nX-Request-Deadline: " + in(500s) + "\r\n");
  ASSERT_TRUE(late);
  EXPECT_GT(*late, 30s);
  EXPECT_LE(*late, 50s);
  const auto early = time_for("Request-Timeout: 500\r\nX-Request-Deadline: " + in(50s) + "\r\n");
  ASSERT_TRUE(early);
  EXPECT_GT(*early, 30s);
  EXPECT_LE(*early, 50s);
}

TEST_F(DeadlineTest, ADeadlineThatHasPassedIs504AndRunsNothing) {
  serve();
  EXPECT_FALSE(
      time_for("X-Request-Deadline: 2020-01-01T00:00:00Z\r\nAccept: application/json\r\n"));
  EXPECT_EQ(answer_.status, 504);
  EXPECT_NE(answer_.body.find("has not run"), std::string::npos) << answer_.body;
}

TEST_F(DeadlineTest, AnUnreadableOneIs400AndSaysWhatIsAccepted) {
  serve();
  EXPECT_FALSE(time_for("X-Request-Deadline: soon\r\nAccept: application/json\r\n"));
  EXPECT_EQ(answer_.status, 400);
  EXPECT_NE(answer_.body.find("2026-11-21T05:04:03Z"), std::string::npos) << answer_.body;
}

TEST_F(DeadlineTest, AnswersSayWhereTheTimeWent) {
  serve();
  pipe::ReplyHead head;
  head.queued = 1500us;
  head.handled = 42us;
  reply_with(head, "");
  const auto answer = front_->ask(get("/server/x"));
  const std::string timing = answer.header("server-timing");
  EXPECT_NE(timing.find("queue;dur=1.500"), std::string::npos) << timing;
  EXPECT_NE(timing.find("handler;dur=0.042"), std::string::npos) << timing;
  for (const char* part : {"gate;dur=", "wire;dur=", "back;dur="}) {
    EXPECT_NE(timing.find(part), std::string::npos) << timing;
  }
}

TEST_F(DeadlineTest, EventStreamsAskProxiesToLetThemPass) {
  serve();
  pipe::ReplyHead head;
  head.content_type = "text/event-stream";
  reply_with(head, "data: 1\n\n");
  const auto answer = front_->ask(get("/server/x"));
  EXPECT_EQ(answer.header("x-accel-buffering"), "no");
  EXPECT_EQ(answer.header("cache-control"), "no-store");
}

}  // namespace
}  // namespace rp::rest::test
