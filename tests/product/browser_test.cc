#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/udp_sink.h"

/// What a web page in a browser on the node's machine could send (RELIABILITY T15): it is refused
/// before any handler runs.
namespace rp::product {
namespace {

class BrowserTest : public LabTest {
 protected:
  void SetUp() override { start_pair({"--statsd", "127.0.0.1:" + std::to_string(sink_.port())}); }

  void expect_refused(std::vector<std::string> arguments) {
    arguments.push_back(C("/server/time"));
    const auto response = curl(arguments);
    EXPECT_GE(response.status, 400);
    EXPECT_LT(response.status, 500);
    EXPECT_EQ(response.code(), std::nullopt);
    EXPECT_EQ(response.header("access-control-allow-origin"), std::nullopt);
  }

  bool a_handler_ran() {
    for (const auto& datagram : sink_.received()) {
      if (contains(datagram, "handle.get_time")) return true;
    }
    return false;
  }

  UdpSink sink_;
};

TEST_F(BrowserTest, ForeignOriginsHostsAndSitesRunNothing) {
  for (const char* header :
       {"Origin: https://evil.example", "Origin: null", "Host: evil.example",
        "Host: evil.example:8990", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"}) {
    SCOPED_TRACE(header);
    expect_refused({"-H", header});
    expect_refused({"-X", "POST", "-H", header, "-d", "x"});
  }
  EXPECT_FALSE(a_handler_ran());
  // The sink does see calls: a plain one arrives.
  expect_time(curl({C("/server/time")}), "time_from_server");
  EXPECT_TRUE(sink_.receives("message.received.handle.get_time.tick:1|c"));
}

TEST_F(BrowserTest, APreflightIsNotGranted) {
  const auto response = curl({"-X", "OPTIONS", "-H", "Origin: https://evil.example", "-H",
                              "Access-Control-Request-Method: POST", "-H",
                              "Access-Control-Request-Private-Network: true", C("/server/time")});
  EXPECT_GE(response.status, 400);
  EXPECT_EQ(response.header("access-control-allow-origin"), std::nullopt);
  EXPECT_EQ(response.header("access-control-allow-private-network"), std::nullopt);
}

TEST_F(BrowserTest, AnswersForbidSniffing) {
  EXPECT_EQ(curl({C("/server/time")}).header("x-content-type-options").value_or(""), "nosniff");
  EXPECT_EQ(curl({C("/nowhere")}).header("x-content-type-options").value_or(""), "nosniff");
}

TEST_F(LabTest, WhatTheOperatorListedMayCall) {
  start_pair({"--allow-host", "node.example", "--allow-origin", "https://board.example"});
  expect_time(curl({"-H", "Host: node.example", C("/server/time")}), "time_from_server");
  expect_time(curl({"-H", "Origin: https://board.example", C("/server/time")}), "time_from_server");
  expect_refusal(curl({"-H", "Origin: https://other.example", C("/server/time")}), 403);
}

TEST_F(LabTest, PagesThatTheOperatorListedMayReadAnswers) {
  start_pair({"--allow-origin", "https://board.example", "--forward-header", "x-color"});
  const std::vector<std::string> page = {"-H", "Origin: https://board.example"};
  auto asked = page;
  asked.insert(asked.end(), {"-X", "OPTIONS", "-H", "Access-Control-Request-Method: DELETE", "-H",
                             "Access-Control-Request-Headers: x-color", C("/server/time")});
  const auto preflight = curl(asked);
  EXPECT_EQ(preflight.status, 204);
  EXPECT_TRUE(contains(preflight.header("access-control-allow-methods").value_or(""), "DELETE"));
  EXPECT_TRUE(contains(preflight.header("access-control-allow-headers").value_or(""), "x-color"));
  EXPECT_EQ(preflight.header("access-control-max-age").value_or(""), "600");
  for (const char* path : {"/server/time", "/nowhere", "/healthz"}) {
    auto read = page;
    read.push_back(C(path));
    const auto answer = curl(read);
    EXPECT_EQ(answer.header("access-control-allow-origin").value_or(""), "https://board.example")
        << path;
    EXPECT_EQ(answer.header("vary").value_or(""), "Origin") << path;
  }
  asked[1] = "Origin: https://other.example";
  const auto foreign = curl(asked);
  EXPECT_EQ(foreign.status, 403);
  EXPECT_EQ(foreign.header("access-control-allow-origin"), std::nullopt);
}

TEST_F(LabTest, ABearerTokenIsAskedOfEveryCall) {
  const auto token = authority_.scratch("token");
  write_text(token, "correct-horse-battery-staple\n");
  std::filesystem::permissions(token, std::filesystem::perms(0600));
  server_ = make_server();
  client_ = make_client({.flags = {"--rest-token-file", token.string()}});
  expect_refusal(curl({C("/server/time")}), 401);
  expect_refusal(curl({"-H", "Authorization: Bearer wrong", C("/server/time")}), 401);
  expect_time(curl({"-H", "Authorization: Bearer correct-horse-battery-staple", C("/server/time")}),
              "time_from_server");
  EXPECT_FALSE(contains(client_->log(), "correct-horse"));
}

}  // namespace
}  // namespace rp::product
