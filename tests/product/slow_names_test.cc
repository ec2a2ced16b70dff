#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"

/// Where no name server answers: the system's resolver takes half a minute, and nobody waits for
/// it.
namespace rp::product {
namespace {

constexpr const char* kSlowName = "host.slow.example";

/// The node's resolver is that of slow_names.cc.
std::vector<std::string> with_slow_names() {
  const char* const sanitizer = std::getenv("ASAN_OPTIONS");
  return {std::string("LD_PRELOAD=") + RP_SLOW_NAMES,
          // It would insist on being loaded first.
          "ASAN_OPTIONS=" + std::string(sanitizer == nullptr ? "" : sanitizer) +
              ":verify_asan_link_order=0"};
}

class SlowNamesTest : public LabTest {
 protected:
  static void expect_quick_end(Node& node) {
    const auto told = TestClock::now();
    EXPECT_EQ(node.stop(), 0);
    EXPECT_LT(TestClock::now() - told, 20s) << "it waited for the resolver";
  }
  const std::vector<std::string> quick_ = {"--resolve-timeout", "0.5"};
};

TEST_F(SlowNamesTest, ACallIsAnsweredInTimeAndHoldsUpNoOther) {
  server_ = make_server({.flags = quick_, .env = with_slow_names()});
  client_ = make_client();
  ASSERT_TRUE(client_->ready());
  const auto begun = TestClock::now();
  CurlRun patient({"-H", "Request-Timeout: 20", S(std::string("/client/") + kSlowName + "/time")});
  expect_time(curl({S("/client/localhost/time")}), "time_from_client");
  const auto late = patient.finish();
  EXPECT_LT(TestClock::now() - begun, 15s) << "the request may take 20 s";
  EXPECT_EQ(late.status, 500);
  EXPECT_TRUE(server_->process().err_line("could not be resolved: it took too long"));
  expect_quick_end(*server_);
}

TEST_F(SlowNamesTest, ACallHasItsOwnDeadline) {
  server_ = make_server({.flags = {"--resolve-timeout", "60"}, .env = with_slow_names()});
  const auto late =
      curl({"-H", "Request-Timeout: 0.3", S(std::string("/client/") + kSlowName + "/time")});
  EXPECT_EQ(late.status, 504);
  EXPECT_LT(late.seconds, 15);
  EXPECT_TRUE(contains(late.body, "while the name 'host.slow.example' was looked up")) << late.body;
  EXPECT_TRUE(contains(late.body, "\"may_have_run\":false")) << late.body;
}

TEST_F(SlowNamesTest, AClientGoesOnToTheNextAddressOfItsServer) {
  server_ = make_server();
  client_ = make_client(
      {.flags = quick_,
       .env = with_slow_names(),
       .dial = kSlowName + std::string(":1234,127.0.0.1:") + std::to_string(server_->pipe_port())});
  EXPECT_TRUE(client_->ready());
  expect_time(curl({C("/server/time")}), "time_from_server");
  expect_quick_end(*client_);
}

TEST_F(SlowNamesTest, AClientThatDialsCanBeStopped) {
  client_ = make_client({.flags = {"--resolve-timeout", "60"},
                         .env = with_slow_names(),
                         .dial = kSlowName + std::string(":1234")});
  EXPECT_TRUE(eventually([&] { return contains(client_->log(), "Connecting"); }));
  expect_quick_end(*client_);
}

TEST_F(SlowNamesTest, AProxyGivesItsApplicationUp) {
  server_ = make_server(
      {.flags = {"--proxy", std::string("app=http://") + kSlowName}, .env = with_slow_names()});
  client_ = make_client();
  ASSERT_TRUE(client_->ready());
  const auto begun = TestClock::now();
  const auto gone = curl({C("/server/app/about")});
  EXPECT_LT(TestClock::now() - begun, 15s);
  EXPECT_EQ(gone.status, 502);
  EXPECT_TRUE(contains(gone.body, "\"handler_unavailable\"")) << gone.body;
  expect_quick_end(*server_);
}

}  // namespace
}  // namespace rp::product
