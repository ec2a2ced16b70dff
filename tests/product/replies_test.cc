#include <chrono>

#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"

/// What a handler may return and how a caller sees it: rows 16, 30 to 37, 47, 48.
namespace rp::product {
namespace {

constexpr const char* kJson = "application/json";

TEST_F(ParityTest, Row16_EachVerbReachesItsOwnMethod) {
  start_parity_pair();
  for (const std::string verb : {"GET", "POST", "PUT", "DELETE", "PATCH"}) {
    SCOPED_TRACE(verb);
    std::string lower;
    for (const char c : verb) lower += static_cast<char>(c - 'A' + 'a');
    for (const auto& url : {C("/server/verb"), S("/client/alpha/verb")}) {
      EXPECT_EQ(curl({"-X", verb, url}).body, lower);
    }
  }
}

TEST_F(ParityTest, Row30_ATripleIsContentTypeCodeAndText) {
  start_parity_pair();
  const auto response = curl({C("/server/reply_triple")});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.code().value_or("absent"), "42");
  EXPECT_EQ(response.content_type(), "text/x-test");
  EXPECT_EQ(response.body, "some text");
}

TEST_F(ParityTest, Row31_ATripleWithoutContentTypeIsJson) {
  start_parity_pair();
  const auto response = curl({C("/server/reply_nomime")});
  expect_reply(response, "42", kJson, R"({"a": 1})");
}

TEST_F(ParityTest, Row32_NothingIsAnEmptyBody) {
  start_parity_pair();
  expect_reply(curl({C("/server/nothing")}), "0", kJson, "");
}

TEST_F(ParityTest, Row33_ABareStringIsTheBody) {
  start_parity_pair();
  expect_reply(curl({C("/server/bare")}), "0", kJson, "plain");
}

TEST_F(ParityTest, Row34_ValuesAreJsonInTheReferencesStyle) {
  start_parity_pair();
  expect_reply(curl({C("/server/number")}), "0", kJson, "5");
  expect_reply(curl({C("/server/list")}), "0", kJson, R"([1, "\u00e9", null, true])");
}

TEST_F(ParityTest, Row35_AnExceptionIsItsObject) {
  start_parity_pair();
  for (const auto& url : {C("/server/raise"), S("/client/alpha/raise")}) {
    SCOPED_TRACE(url);
    const auto response = curl({url});
    expect_exception(response, "runtime_error", "boom");
    // Where the source lies on the peer is nobody's business.
    EXPECT_FALSE(contains(response.body, RP_SOURCE_DIR)) << response.body;
  }
}

TEST_F(ParityTest, Row36_AnImpossibleReplyIsAnErrorReply) {
  start_parity_pair();
  expect_exception(curl({C("/server/badmime")}), "");
  expect_exception(curl({C("/server/badcode")}), "");
  expect_exception(curl({S("/client/alpha/badmime")}), "");
  expect_reply(curl({C("/server/number")}), "0", kJson, "5");
  expect_reply(curl({S("/client/alpha/number")}), "0", kJson, "5");
}

TEST_F(ParityTest, Row37_MalformedJsonIsAPromptError) {
  start_parity_pair();
  for (const auto& url : {C("/server/kind"), S("/client/alpha/kind")}) {
    SCOPED_TRACE(url);
    const auto response =
        curl({"-X", "POST", "-H", "Content-Type: application/json", "-d", "{\"a\": [1,", url});
    EXPECT_LT(response.seconds, 10.0);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.code().value_or("absent"), "251");
  }
  expect_reply(curl({C("/server/number")}), "0", kJson, "5");
  expect_reply(curl({S("/client/alpha/number")}), "0", kJson, "5");
}

TEST_F(ParityTest, Row47_AHandlerSlowerThanTheHeartbeatsKeepsThePipe) {
  start_parity_pair({"--heartbeat-interval", "1"});
  const auto response = curl({C("/server/sleep//4")});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.code().value_or("absent"), "0");
  EXPECT_GE(response.seconds, 4.0);
  EXPECT_EQ(status_of(client_->rest_port(), "/readyz"), 200);
}

TEST_F(ParityTest, Row48_ASlowHandlerHoldsNobodyUp) {
  start_parity_pair();
  CurlRun slow_on_server({C("/server/sleep//8")});
  CurlRun slow_on_client({S("/client/alpha/sleep//8")});
  for (int i = 0; i < 5; ++i) {
    EXPECT_LT(curl({C("/server/number")}).seconds, 4.0);
    EXPECT_LT(curl({S("/client/alpha/number")}).seconds, 4.0);
  }
  EXPECT_TRUE(slow_on_server.running());
  EXPECT_TRUE(slow_on_client.running());
  EXPECT_EQ(slow_on_server.finish().status, 200);
  EXPECT_EQ(slow_on_client.finish().status, 200);
}

TEST_F(LabTest, AStreamedReplyArrivesWholeAndInOrder) {
  start_parity_pair();
  for (const auto& url : {C("/server/stream//2000"), S("/client/alpha/stream//2000")}) {
    SCOPED_TRACE(url);
    const auto response = curl({url});
    EXPECT_EQ(response.exit_code, 0) << response.error;
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.code().value_or("absent"), "0");
    const auto lines = lines_of(response.body);
    EXPECT_EQ(lines.size(), 2000u);
  }
}

}  // namespace
}  // namespace rp::product
