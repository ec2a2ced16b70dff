#include <string>

#include <gtest/gtest.h>

#include "tests/rest/gateway_fixture.h"

namespace rp::rest::test {
namespace {

using pipe::Errc;

struct Mapped {
  Errc code;
  int status;
  const char* client_reason;
  bool retryable;
};

class FailureTest : public EventGatewayTest, public testing::WithParamInterface<Mapped> {};

TEST_P(FailureTest, BecomesAProblem) {
  fail_with(GetParam().code, "what was wrong");
  serve();
  const auto answer =
      front_->ask(get("/client/web/a", "Accept: application/json\r\nX-Request-Id: id1\r\n"));
  EXPECT_EQ(answer.status, GetParam().status);
  EXPECT_EQ(answer.reason, GetParam().client_reason);
  EXPECT_EQ(answer.header("content-type"), "application/problem+json");
  EXPECT_FALSE(answer.has("x-event-return-code"));
  EXPECT_EQ(answer.header("x-request-id"), "id1");
  EXPECT_EQ(answer.has("retry-after"), GetParam().status == 503);
  const auto code = "\"code\":\"" + std::string(pipe::name(GetParam().code)) + "\"";
  EXPECT_NE(answer.body.find(code), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("\"detail\":\"what was wrong\""), std::string::npos);
  EXPECT_NE(answer.body.find("\"request_id\":\"id1\""), std::string::npos);
  EXPECT_NE(answer.body.find(GetParam().retryable ? "\"retryable\":true" : "\"retryable\":false"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Every, FailureTest,
    testing::Values(Mapped{Errc::unknown_peer, 404, "Hostname not resolvable", false},
                    Mapped{Errc::resolve_failed, 500, "Hostname resolution error", true},
                    Mapped{Errc::peer_unavailable, 503, "Client connection unavailable", true},
                    Mapped{Errc::ambiguous_peer, 409, "Conflict", false},
                    Mapped{Errc::deadline_exceeded, 504, "Gateway Timeout", false},
                    Mapped{Errc::session_lost, 502, "Bad Gateway", false},
                    Mapped{Errc::link_lost, 502, "Bad Gateway", false},
                    Mapped{Errc::handler_failed, 502, "Bad Gateway", false},
                    Mapped{Errc::handler_unavailable, 502, "Bad Gateway", true},
                    Mapped{Errc::replaced, 502, "Bad Gateway", false},
                    Mapped{Errc::not_sent, 503, "Service Unavailable", true},
                    Mapped{Errc::overloaded, 503, "Service Unavailable", true},
                    Mapped{Errc::draining, 503, "Service Unavailable", true},
                    Mapped{Errc::stopped, 503, "Service Unavailable", true},
                    Mapped{Errc::body_too_large, 413, "Content Too Large", false},
                    Mapped{Errc::cancelled, 499, "Client Closed Request", false}),
    [](const auto& row) { return std::string(pipe::name(row.param.code)); });

TEST_F(EventGatewayTest, GivesPlainClientsTheReferencesForms) {
  for (const auto code : {Errc::unknown_peer, Errc::resolve_failed, Errc::peer_unavailable}) {
    fail_with(code);
    if (!front_) serve();
    for (const std::string accept : {"", "Accept: */*\r\n", "Accept: text/html\r\n"}) {
      const auto answer = front_->ask(get("/client/web/a", accept));
      EXPECT_EQ(answer.body, "") << pipe::name(code);
      EXPECT_FALSE(answer.has("content-type"));
    }
  }
}

TEST_F(EventGatewayTest, AClientThatTheServerDoesNotKnowIsAPathThatNobodyServes) {
  fail_with(Errc::unknown_peer);
  serve();
  const auto answer = front_->ask(get("/server/a"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.reason, "Not Found");
  EXPECT_EQ(answer.body, "not found");
}

TEST_F(EventGatewayTest, SaysThatItIsTheServerWhichIsAway) {
  fail_with(Errc::peer_unavailable);
  serve();
  const auto answer = front_->ask(get("/server/a"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.reason, "Server connection unavailable");
  EXPECT_EQ(answer.header("content-type"), "application/problem+json");
}

TEST_F(EventGatewayTest, SaysWhetherTheHandlerMayHaveRun) {
  fail_with(Errc::session_lost);
  serve();
  EXPECT_NE(front_->ask(get("/server/a")).body.find("\"may_have_run\":true"), std::string::npos);
  for (const auto nothing_ran : {Errc::not_sent, Errc::handler_unavailable}) {
    fail_with(nothing_ran);
    const auto answer = front_->ask(get("/server/a"));
    EXPECT_NE(answer.body.find("\"may_have_run\":false"), std::string::npos) << answer.body;
  }
}

TEST_F(EventGatewayTest, BelievesWhoKnowsThatNothingHasRun) {
  target_.answer_with([](Submission& s) {
    s.sink->fail({.code = Errc::deadline_exceeded, .detail = "no pipe", .has_not_run = true});
  });
  serve();
  const auto answer = front_->ask(get("/server/a"));
  EXPECT_EQ(answer.status, 504);
  EXPECT_NE(answer.body.find("\"may_have_run\":false"), std::string::npos) << answer.body;
}

TEST_F(EventGatewayTest, GivesTextToThoseWhoTakeNoJson) {
  fail_with(Errc::deadline_exceeded, "too slow");
  serve();
  const auto answer = front_->ask(get("/server/a", "Accept: text/html, */*;q=0\r\n"));
  EXPECT_EQ(answer.header("content-type"), "text/plain");
  EXPECT_EQ(answer.body, "too slow\n");
}

TEST_F(EventGatewayTest, AnswersUnroutedPathsLikeTheReference) {
  serve();
  for (const auto* path : {"/", "/server", "/client/localhost", "/client/a:b/x", "/client/[::1]/x",
                           "//server/time", "/other"}) {
    const auto answer = front_->ask(get(path));
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.reason, "Not Found");
    EXPECT_EQ(answer.header("content-type"), "text/html");
    EXPECT_EQ(answer.body, "not found");
    EXPECT_FALSE(answer.has("x-event-return-code"));
  }
  const auto json = front_->ask(get("/", "Accept: application/json\r\n"));
  EXPECT_EQ(json.status, 404);
  EXPECT_EQ(json.header("content-type"), "application/problem+json");
}

}  // namespace
}  // namespace rp::rest::test
