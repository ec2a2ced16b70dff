#include <set>

#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/udp_sink.h"

/// Rows whose defaults take their time: 22, 41, 42, 47, 59, 61, 71. Each has a quick sibling where
/// the times are configured.
namespace rp::product {
namespace {

TEST_F(ParityTest, Row22_TheDefaultWaitIsTwentySeconds) {
  server_ = make_server();
  ASSERT_TRUE(server_->ready());
  const auto response = curl({S("/client/192.0.2.1/time")});
  expect_refusal(response, 503);
  EXPECT_GE(response.seconds, 20.0);
  EXPECT_LT(response.seconds, 25.0);
}

TEST_F(ParityTest, Row41_ClientsFirstAndTheServerSevenSecondsLater) {
  server_ = make_server();
  const auto port = server_->pipe_port();
  ASSERT_EQ(server_->stop(), 0);
  // Several clients, since the wait between attempts is random.
  std::vector<std::unique_ptr<Node>> clients;
  for (const char* name : {"a", "b", "c", "d"}) {
    clients.push_back(make_client({.identity = authority_.client(name), .pipe_port = port}));
  }
  EXPECT_TRUE(holds_for(7s, [&] { return status_of(clients[0]->rest_port(), "/readyz") == 503; }));
  restart_server();
  const auto up = TestClock::now();
  for (const auto& client : clients) EXPECT_TRUE(client->ready());
  EXPECT_LT(TestClock::now() - up, 9s) << "the longest wait is 5 s";
}

TEST_F(ParityTest, Row42_AttemptsNeverEndAndComeEveryFiveSecondsAtFirst) {
  start_pair();
  const auto port = server_->pipe_port();
  client_.reset();
  server_->process().kill();

  UdpSink sink;
  client_ = make_client(
      {.flags = {"--statsd", "127.0.0.1:" + std::to_string(sink.port())}, .pipe_port = port});
  auto last = TestClock::now();
  auto longest = TestClock::duration::zero();
  std::size_t attempts = 0;
  const auto look = [&] {
    std::size_t seen = 0;
    for (const auto& datagram : sink.received()) seen += datagram == "client.connect.new.tick:1|c";
    const auto now = TestClock::now();
    longest = std::max(longest, now - last);
    if (seen > attempts) last = now;
    attempts = seen;
    return true;
  };
  holds_for(30s, look);
  EXPECT_GE(attempts, 6u);
  EXPECT_LE(longest, 8s) << "the longest wait is 5 s";

  restart_server();
  const auto response = curl({C("/server/time")});
  expect_time(response, "time_from_server");
}

TEST_F(ParityTest, Row47_FourteenSecondsInAHandlerKeepThePipe) {
  start_parity_pair();
  CurlRun on_server({C("/server/sleep//14")});
  CurlRun on_client({S("/client/alpha/sleep//14")});
  for (auto* run : {&on_server, &on_client}) {
    const auto response = run->finish();
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.code().value_or("absent"), "0");
    EXPECT_GE(response.seconds, 14.0);
    EXPECT_LT(response.seconds, 28.0) << "they run side by side";
  }
  EXPECT_EQ(status_of(client_->rest_port(), "/readyz"), 200);
}

TEST_F(ParityTest, Row59_ASilentConnectionIsClosedAfterTenToTwentySeconds) {
  server_ = make_server();
  const auto silent = connect_to(server_->pipe_port());
  ASSERT_TRUE(silent);
  const auto began = TestClock::now();
  EXPECT_TRUE(closes(*silent));
  EXPECT_GE(TestClock::now() - began, 9s);
  EXPECT_LT(TestClock::now() - began, 25s);
}

TEST_F(ParityTest, Row71_AnIdleServerSaysSoEachMinute) {
  const auto record = authority_.scratch("states");
  server_ =
      make_server({.flags = parity_handlers(), .env = {"RP_TEST_STATE_FILE=" + record.string()}});
  const auto idles = [&] {
    std::size_t count = 0;
    for (const auto& line : lines_of(read_text(record))) count += line == "idle";
    return count;
  };
  EXPECT_TRUE(eventually([&] { return idles() == 1; }));
  EXPECT_TRUE(holds_for(55s, [&] { return idles() == 1; }));
  EXPECT_TRUE(eventually([&] { return idles() == 2; }));
}

}  // namespace
}  // namespace rp::product
