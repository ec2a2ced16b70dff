#include "rest/cors.h"

#include <atomic>
#include <string>

#include <gtest/gtest.h>

#include "tests/rest/front_end.h"

/// What pages of allowed origins are told, over real connections.
namespace rp::rest {
namespace {

using test::Answer;
using test::FrontEnd;

const std::string kBoard = "Origin: https://board.example\r\n";
const std::string kAsks = "Access-Control-Request-Method: PUT\r\n";

ServerOptions board_may_call(std::string token = "") {
  ServerOptions options;
  options.guard.allowed_origins = {"https://board.example", "http://localhost:3000"};
  options.guard.page_headers = {"accept", "x-color"};
  options.guard.bearer_token = std::move(token);
  return options;
}

std::string request(const std::string& method, const std::string& headers) {
  return method + " /x HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}

/// A front-end that counts what reaches its handler.
class CorsTest : public ::testing::Test {
 protected:
  Handler counting() {
    return [this](const std::shared_ptr<Exchange>& exchange) {
      ++handled_;
      exchange->respond(test::ok("read me"));
    };
  }
  std::atomic<int> handled_ = 0;
};

void expect_readable(const Answer& answer) {
  EXPECT_EQ(answer.header("access-control-allow-origin"), "https://board.example");
  EXPECT_EQ(answer.header("access-control-expose-headers"),
            "X-Event-Return-Code, X-Request-Id, Server-Timing, *");
  EXPECT_EQ(answer.header("vary"), "Origin");
  EXPECT_FALSE(answer.has("access-control-allow-credentials"));
}

TEST_F(CorsTest, APageOfAnAllowedOriginMayReadItsAnswer) {
  FrontEnd front(counting(), board_may_call());
  const auto answer = front.ask(request("GET", kBoard));
  EXPECT_EQ(answer.status, 200);
  expect_readable(answer);
}

TEST_F(CorsTest, AnAnswerNamesTheOriginThatAskedAndNoOther) {
  FrontEnd front(counting(), board_may_call());
  auto client = front.connect();
  client.send(request("GET", kBoard));
  EXPECT_EQ(client.read_answer().header("access-control-allow-origin"), "https://board.example");
  client.send(request("GET", "Origin: http://localhost:3000\r\n"));
  EXPECT_EQ(client.read_answer().header("access-control-allow-origin"), "http://localhost:3000");
  client.send(request("GET", ""));
  const auto plain = client.read_answer();
  EXPECT_FALSE(plain.has("access-control-allow-origin"));
  EXPECT_EQ(plain.header("vary"), "Origin") << "a cache must not give it to the page";
  client.send("no HTTP\r\n\r\n");
  EXPECT_FALSE(client.read_answer().has("access-control-allow-origin"));
}

TEST_F(CorsTest, WithoutAllowedOriginsAnswersSayNothing) {
  FrontEnd front(counting());
  const auto answer = front.ask(request("GET", ""));
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.has("vary"));
  EXPECT_FALSE(answer.has("access-control-expose-headers"));
  const auto refused = front.ask(request("OPTIONS", kBoard + kAsks));
  EXPECT_EQ(refused.status, 403);
  EXPECT_FALSE(refused.has("access-control-allow-origin"));
  EXPECT_EQ(handled_, 1);
}

TEST_F(CorsTest, AStreamMayBeReadToo) {
  FrontEnd front(
      [](const std::shared_ptr<Exchange>& exchange) {
        ResponseHead head;
        head.content_type = "text/event-stream";
        exchange->begin(std::move(head));
        exchange->write("data: 1\n\n");
        exchange->end();
      },
      board_may_call());
  const auto answer = front.ask(request("GET", kBoard));
  EXPECT_EQ(answer.body, "data: 1\n\n");
  expect_readable(answer);
}

TEST_F(CorsTest, APreflightIsAnsweredWithoutTheHandler) {
  FrontEnd front(counting(), board_may_call());
  auto client = front.connect();
  client.send(request("OPTIONS", kBoard + kAsks + "Access-Control-Request-Headers: x-color\r\n" +
                                     "Access-Control-Request-Private-Network: true\r\n" +
                                     "Sec-Fetch-Site: cross-site\r\n"));
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 204);
  expect_readable(answer);
  EXPECT_EQ(answer.header("access-control-allow-methods"), "GET, HEAD, POST, PUT, DELETE, PATCH");
  EXPECT_EQ(answer.header("access-control-allow-headers"),
            "accept, authorization, content-type, idempotency-key, request-timeout, "
            "x-request-deadline, x-request-id, x-color");
  EXPECT_EQ(answer.header("access-control-max-age"), "600");
  EXPECT_FALSE(answer.has("content-length"));
  EXPECT_FALSE(answer.has("access-control-allow-private-network"));
  EXPECT_EQ(handled_, 0);
  client.send(request("PUT", kBoard + "Content-Length: 0\r\n"));
  expect_readable(client.read_answer());
  EXPECT_EQ(handled_, 1) << "the connection goes on";
}

TEST_F(CorsTest, APreflightOfAnotherOriginIsRefused) {
  FrontEnd front(counting(), board_may_call());
  for (const auto* origin : {"Origin: https://evil.example\r\n", "Origin: null\r\n",
                             "Origin: https://board.example:1\r\n",
                             "Origin: https://board.example\r\nOrigin: https://evil.example\r\n"}) {
    const auto answer = front.ask(request("OPTIONS", origin + kAsks));
    EXPECT_EQ(answer.status, 403) << origin;
    EXPECT_FALSE(answer.has("access-control-allow-origin")) << origin;
    EXPECT_FALSE(answer.has("access-control-allow-methods")) << origin;
  }
  EXPECT_EQ(handled_, 0);
}

TEST_F(CorsTest, OnlyAPreflightNeedsNoToken) {
  FrontEnd front(counting(), board_may_call("correct-horse-battery"));
  EXPECT_EQ(front.ask(request("OPTIONS", kBoard + kAsks)).status, 204);
  EXPECT_EQ(front.ask(request("OPTIONS", kBoard)).status, 401);
  EXPECT_EQ(front.ask(request("OPTIONS", kAsks)).status, 401);
  EXPECT_EQ(front.ask(request("OPTIONS", kBoard + kBoard + kAsks)).status, 401);
  const auto refused = front.ask(request("PUT", kBoard + "Content-Length: 0\r\n"));
  EXPECT_EQ(refused.status, 401);
  expect_readable(refused);
  EXPECT_EQ(handled_, 0);
  EXPECT_EQ(front
                .ask(request("PUT", kBoard + "Content-Length: 0\r\n"
                                             "Authorization: Bearer correct-horse-battery\r\n"))
                .status,
            200);
}

}  // namespace
}  // namespace rp::rest
