#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"

/// How URLs become events: rows 1 to 10, 12 to 15, 17 to 22, 40.
namespace rp::product {
namespace {

constexpr const char* kJson = "application/json";

TEST_F(ParityTest, Row01_TimeFromTheServer) {
  start_pair();
  expect_time(curl({C("/server/time")}), "time_from_server");
}

TEST_F(ParityTest, Row02_TimeFromTheClientByHostName) {
  start_pair();
  expect_time(curl({S("/client/localhost/time")}), "time_from_client");
}

TEST_F(ParityTest, Row03_TimeFromTheClientByAddress) {
  start_pair();
  expect_time(curl({S("/client/127.0.0.1/time")}), "time_from_client");
  expect_time(curl({S("/client/alpha/time")}), "time_from_client");
}

TEST_F(ParityTest, Row04_CatOnTheServer) {
  start_pair();
  expect_reply(curl({C("/server/cat//hello%20/world")}), "0", kJson,
               R"({"result_from_server": "hello world"})");
}

TEST_F(ParityTest, Row05_CatOnTheClient) {
  start_pair();
  expect_reply(curl({S("/client/localhost/cat//hello%20/world")}), "0", kJson,
               R"({"result_from_client": "hello world"})");
}

TEST_F(ParityTest, Row06_WhatFollowsASecondDividerIsIgnored) {
  start_pair();
  expect_reply(curl({C("/server/cat//a/b//c")}), "0", kJson, R"({"result_from_server": "ab"})");
}

TEST_F(ParityTest, Row07_AnArgumentMayBeEmpty) {
  start_pair();
  expect_reply(curl({C("/server/cat///b")}), "0", kJson, R"({"result_from_server": "b"})");
}

TEST_F(ParityTest, Row08_AnEncodedSlashDividesArguments) {
  start_pair();
  expect_reply(curl({C("/server/cat//a%2Fb")}), "0", kJson, R"({"result_from_server": "ab"})");
}

TEST_F(ParityTest, Row09_PlusStaysPlusAndTheQueryIsNoArgument) {
  start_pair();
  expect_reply(curl({C("/server/cat//a+b/c%2Bd?x=1")}), "0", kJson,
               R"({"result_from_server": "a+bc+d"})");
}

TEST_F(ParityTest, Row10_AnEncodedDividerDivides) {
  start_pair();
  expect_reply(curl({C("/server/cat%2F%2Fa/b")}), "0", kJson, R"({"result_from_server": "ab"})");
}

TEST_F(ParityTest, Row11_TooFewArgumentsIsATypeError) {
  start_pair();
  expect_exception(curl({C("/server/cat//a")}), "TypeError");
}

TEST_F(ParityTest, Row12_ATrailingDividerIsOneEmptyArgument) {
  start_pair();
  expect_exception(curl({C("/server/time//")}), "TypeError");
}

TEST_F(ParityTest, Row13_AnUnknownMethodIs255) {
  start_pair();
  expect_no_such_method(curl({C("/server/nope")}));
  expect_no_such_method(curl({S("/client/alpha/nope")}));
}

TEST_F(ParityTest, Row14_SlashesAndCaseSelectTheMethod) {
  start_pair();
  for (const char* path : {"/server/time/", "/server/", "/server//time", "/server/Time"}) {
    SCOPED_TRACE(path);
    expect_no_such_method(curl({C(path)}));
  }
}

TEST_F(ParityTest, Row15_TheVerbSelectsTheMethod) {
  start_pair();
  expect_no_such_method(curl({"-X", "POST", "-d", "x=1", C("/server/time")}));
}

TEST_F(ParityTest, Row17_ASlashInTheNounIsAnUnderscore) {
  start_parity_pair();
  const auto slash = curl({C("/server/time/utc")});
  EXPECT_EQ(slash.code().value_or("absent"), "0");
  const auto underscore = curl({C("/server/time_utc")});
  EXPECT_EQ(underscore.code().value_or("absent"), "0");
}

TEST_F(ParityTest, Row18_HeadIsGetWithoutABody) {
  start_pair();
  const auto response = curl({"-I", C("/server/time")});
  EXPECT_EQ(response.exit_code, 0) << response.error;
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.code().value_or("absent"), "0");

  const auto raw = raw_http(client_->rest_port(),
                            "HEAD /server/time HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                            "Connection: close\r\n\r\n");
  EXPECT_TRUE(raw.ends_with("\r\n\r\n")) << raw;
}

TEST_F(ParityTest, Row19_OptionsIs405WithAllow) {
  start_pair();
  for (const char* method : {"OPTIONS", "TRACE", "FROB"}) {
    SCOPED_TRACE(method);
    const auto response = curl({"-X", method, C("/server/time")});
    expect_refusal(response, 405);
    EXPECT_FALSE(response.body.empty());
    const auto allow = response.header("allow").value_or("");
    for (const char* allowed : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"}) {
      EXPECT_TRUE(contains(allow, allowed)) << allow;
    }
  }
}

TEST_F(ParityTest, Row20_WhatIsNotRoutedIs404) {
  start_pair();
  for (const auto& url : {C("/"), C("/server"), C("/client/x/time"), S("/server/time"),
                          S("/client/localhost"), C("//server/time")}) {
    SCOPED_TRACE(url);
    const auto response = curl({url});
    expect_refusal(response, 404);
    EXPECT_EQ(response.body, "not found");
  }
}

TEST_F(ParityTest, Row21_AHostThatDoesNotResolveIs404AtOnce) {
  start_pair();
  const auto response = curl({S("/client/no-such-host.invalid/time")});
  expect_refusal(response, 404);
  EXPECT_EQ(response.reason, "Hostname not resolvable");
  EXPECT_LT(response.seconds, 15.0) << "the wait for a client is 20 s";
}

TEST_F(ParityTest, Row22_AClientThatIsAwayIs503AfterTheWait) {
  server_ = make_server({.flags = {"--connection-wait", "2"}});
  ASSERT_TRUE(server_->ready());
  const auto response = curl({S("/client/192.0.2.1/time")});
  expect_refusal(response, 503);
  EXPECT_EQ(response.reason, "Client connection unavailable");
  EXPECT_GE(response.seconds, 2.0);
  EXPECT_LT(response.seconds, 15.0) << "the default is 20 s";
}

TEST_F(ParityTest, Row40_NonAsciiNounsAndArgumentsAreUtf8) {
  start_pair();
  expect_no_such_method(curl({C("/server/caf%C3%A9")}));
  expect_reply(curl({C("/server/cat//caf%C3%A9/%E2%82%AC")}), "0", kJson,
               R"({"result_from_server": "caf\u00e9\u20ac"})");
}

}  // namespace
}  // namespace rp::product
