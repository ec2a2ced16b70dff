#include "rest/guard.h"

#include <string>

#include <gtest/gtest.h>

#include "rest/gate.h"

namespace rp::rest {
namespace {

Request request(const std::string& head) {
  const Limits limits;
  Gate gate(limits);
  std::string_view input = head;
  EXPECT_EQ(gate.feed(input), Gate::Progress::head) << head;
  EXPECT_EQ(gate.feed(input), Gate::Progress::complete);
  return gate.take_request();
}

int judged(const Guard& guard, const std::string& headers, std::string_view local = "127.0.0.1",
           const std::string& method = "GET") {
  const auto problem = guard.check(request(method + " / HTTP/1.1\r\n" + headers + "\r\n"), local);
  return problem ? problem->status : 200;
}

TEST(GuardTest, TakesTheNamesOfThisMachine) {
  const Guard guard({});
  for (const auto* host :
       {"localhost", "LocalHost:8989", "localhost.", "127.0.0.1", "127.0.0.1.", "127.0.0.1:80",
        "127.200.3.4", "[::1]", "[::1]:8989", "rpclient.local", "rpserver.local:80"})
    EXPECT_EQ(judged(guard, "Host: " + std::string(host) + "\r\n"), 200) << host;
}

TEST(GuardTest, RefusesForeignHosts) {
  const Guard guard({});
  for (const auto* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "127.0.0", "127.0.0.256", "127..0.1", "10.0.0.1", "128.0.0.1", "[::2]",
                           "rpserver.local.evil.example", "0.0.0.0"})
    EXPECT_EQ(judged(guard, "Host: " + std::string(host) + "\r\n"), 421) << host;
}

TEST(GuardTest, TakesTheAddressThatTheClientReached) {
  const Guard guard({});
  EXPECT_EQ(judged(guard, "Host: 192.0.2.7:8989\r\n", "192.0.2.7"), 200);
  EXPECT_EQ(judged(guard, "Host: [2001:DB8::7]\r\n", "2001:db8::7"), 200);
  EXPECT_EQ(judged(guard, "Host: 192.0.2.8\r\n", "192.0.2.7"), 421);
  EXPECT_EQ(judged(guard, "Host: 192.0.2.7\r\n", ""), 421);
}

TEST(GuardTest, TakesAllowedNames) {
  const Guard guard({{"board.example"}, {}, ""});
  EXPECT_EQ(judged(guard, "Host: Board.Example:99\r\n"), 200);
  EXPECT_EQ(judged(guard, "Host: x.board.example\r\n"), 421);
}

TEST(GuardTest, JudgesAnAbsoluteTargetByItsOwnHost) {
  const Guard guard({});
  const auto evil = request("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(guard.check(evil, "127.0.0.1")->status, 421);
}

TEST(GuardTest, TakesHttp10WithoutHost) {
  const Guard guard({});
  EXPECT_FALSE(guard.check(request("GET / HTTP/1.0\r\n\r\n"), "127.0.0.1"));
}

TEST(GuardTest, RefusesEveryOriginByDefaultOnEveryMethod) {
  const Guard guard({});
  for (const auto* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    EXPECT_EQ(
        judged(guard, "Host: localhost\r\nOrigin: https://evil.example\r\n", "127.0.0.1", method),
        403);
    EXPECT_EQ(judged(guard, "Host: localhost\r\nOrigin: null\r\n", "127.0.0.1", method), 403);
  }
  EXPECT_EQ(judged(guard,
                   "Host: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                   "Origin: http://localhost:1\r\n"),
            403);
}

TEST(GuardTest, TakesAnAllowedOriginExactly) {
  const Guard guard({{}, {"https://board.example"}, ""});
  const std::string host = "Host: localhost\r\n";
  EXPECT_EQ(judged(guard, host + "Origin: https://board.example\r\n"), 200);
  EXPECT_EQ(judged(guard, host + "Origin: https://board.example\r\nSec-Fetch-Site: cross-site\r\n"),
            200);
  EXPECT_EQ(judged(guard, host + "Origin: http://board.example\r\n"), 403);
  EXPECT_EQ(judged(guard, host + "Origin: https://board.example.evil.example\r\n"), 403);
  EXPECT_EQ(judged(guard, host + "Origin: https://board.example\r\nOrigin: null\r\n"), 403);
}

TEST(GuardTest, RefusesRequestsFromPagesOfOtherSites) {
  const Guard guard({});
  const std::string start = "Host: localhost\r\nSec-Fetch-Site: ";
  EXPECT_EQ(judged(guard, start + "cross-site\r\n"), 403);
  EXPECT_EQ(judged(guard, start + "same-site\r\n"), 403);
  EXPECT_EQ(judged(guard, start + "anything\r\n"), 403);
  EXPECT_EQ(judged(guard, start + "none\r\n"), 200);
  EXPECT_EQ(judged(guard, start + "same-origin\r\n"), 200);
}

TEST(GuardTest, AsksForTheTokenWhenThereIsOne) {
  const Guard guard({{}, {}, "s3cret"});
  const std::string start = "Host: localhost\r\nAuthorization: ";
  EXPECT_EQ(judged(guard, start + "Bearer s3cret\r\n"), 200);
  EXPECT_EQ(judged(guard, start + "bearer   s3cret\r\n"), 200);
  EXPECT_EQ(judged(guard, start + "Bearer s3crex\r\n"), 401);
  EXPECT_EQ(judged(guard, start + "Bearer s3cre\r\n"), 401);
  EXPECT_EQ(judged(guard, start + "Bearer\r\n"), 401);
  EXPECT_EQ(judged(guard, start + "Basic s3cret\r\n"), 401);
  EXPECT_EQ(judged(guard, "Host: localhost\r\n"), 401);
}

TEST(HostWithoutPortTest, SplitsNamesAndBrackets) {
  EXPECT_EQ(host_without_port("a"), "a");
  EXPECT_EQ(host_without_port("a:80"), "a");
  EXPECT_EQ(host_without_port("[::1]:80"), "[::1]");
  EXPECT_EQ(host_without_port("[::1"), std::nullopt);
  EXPECT_EQ(host_without_port("a:b"), std::nullopt);
  EXPECT_EQ(host_without_port(":80"), std::nullopt);
}

}  // namespace
}  // namespace rp::rest
