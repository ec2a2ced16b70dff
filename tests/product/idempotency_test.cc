// Requests with keys, and bodies that are read as they come, from curl to the handler and back.
#include <string>

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"

namespace rp::product {
namespace {

class HandlerTest : public LabTest {
 protected:
  void SetUp() override { start_pair({"--handlers", RP_COUNTING_PLUGIN}); }

  static std::vector<std::string> post(const std::string& url, const std::string& key,
                                       const std::string& body) {
    return {"-X", "POST", "-H", "Idempotency-Key: " + key, "-d", body, url};
  }
  std::string runs_of(const std::string& node, const std::string& id) {
    return curl(
               {node == "server" ? C("/server/runs/of//" + id) : S("/client/alpha/runs/of//" + id)})
        .body;
  }
  bool began(const std::string& node, const std::string& id) {
    return eventually([&] { return runs_of(node, id) == "1"; });
  }
};

using KeyTest = HandlerTest;

TEST_F(KeyTest, ARepetitionGetsTheFirstAnswer) {
  const auto url = C("/server/run//a");
  const auto first = curl(post(url, "key-1", "body"));
  EXPECT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(first.body, "body");
  EXPECT_FALSE(first.header("idempotency-replayed"));
  const auto second = curl(post(url, "key-1", "body"));
  EXPECT_EQ(second.status, 200) << second.body;
  EXPECT_EQ(second.body, "body");
  EXPECT_EQ(second.header("idempotency-replayed"), "true");
  EXPECT_EQ(runs_of("server", "a"), "1");
}

TEST_F(KeyTest, AnotherBodyIsRefused) {
  const auto url = S("/client/alpha/run//a");
  curl(post(url, "key-1", "body"));
  const auto other = curl(post(url, "key-1", "another"));
  expect_refusal(other, 422);
  EXPECT_NE(other.body.find("key_reused"), std::string::npos) << other.body;
  EXPECT_EQ(runs_of("client", "a"), "1");
}

TEST_F(KeyTest, ARepetitionWhileTheFirstRunsIsRefused) {
  const auto request = post(C("/server/slow//a/2000"), "key-1", "");
  CurlRun first(request);
  ASSERT_TRUE(began("server", "a"));
  const auto second = curl(request);
  expect_refusal(second, 409);
  EXPECT_NE(second.body.find("key_in_use"), std::string::npos) << second.body;
  EXPECT_EQ(first.finish().body, "slow a");
  EXPECT_EQ(curl(request).body, "slow a");
  EXPECT_EQ(runs_of("server", "a"), "1");
}

TEST_F(KeyTest, AMalformedKeyIsRefusedByItsRule) {
  const auto refused = curl(post(C("/server/run//a"), "two words", "body"));
  EXPECT_NE(refused.body.find("visible ASCII"), std::string::npos) << refused.body;
  EXPECT_EQ(runs_of("server", "a"), "0");
}

TEST_F(KeyTest, TheAnswerIsFoundAfterTheCallersNodeWasKilled) {
  const auto request = post(S("/client/alpha/slow//a/1500"), "key-1", "");
  CurlRun first(request);
  ASSERT_TRUE(began("client", "a"));
  server_->process().signal(SIGKILL);
  EXPECT_EQ(first.finish().status, 0) << "its node has gone";
  restart_server();
  ASSERT_TRUE(client_->ready());
  const auto second = curl(request);
  EXPECT_EQ(second.status, 200) << second.body;
  EXPECT_EQ(second.body, "slow a");
  const auto third = curl(request);
  EXPECT_EQ(third.body, "slow a");
  EXPECT_EQ(third.header("idempotency-replayed"), "true");
  EXPECT_EQ(runs_of("client", "a"), "1");
}

TEST_F(KeyTest, AHangUpDoesNotEndAKeyedCall) {
  const auto request = post(C("/server/slow//a/800"), "key-1", "");
  {
    CurlRun first(request);
    ASSERT_TRUE(began("server", "a"));
  }  // curl is killed
  // 409 until the node has noticed; then the repetition joins the call, or finds its answer.
  Response second;
  EXPECT_TRUE(eventually([&] { return (second = curl(request)).status != 409; }));
  EXPECT_EQ(second.body, "slow a");
  EXPECT_EQ(runs_of("server", "a"), "1");
}

using CallerTest = HandlerTest;

TEST_F(CallerTest, ABodyIsReadAsItComes) {
  const std::string body(10'000'000, 'x');
  const auto response =
      curl({"-X", "POST", "-H", "Transfer-Encoding: chunked", "-H", "Expect:", "--data-binary",
            data_file("large", body), S("/client/alpha/length")});
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.body, "10000000");
}

}  // namespace
}  // namespace rp::product
