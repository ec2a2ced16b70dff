#include <gtest/gtest.h>
#include <signal.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/fault_proxy.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/udp_sink.h"

/// What callers see when pipes come and go: rows 23, 43 to 46, 49, 50, 65.
namespace rp::product {
namespace {

std::vector<std::string> with_statsd(const UdpSink& sink, std::vector<std::string> flags = {}) {
  flags.insert(flags.end(), {"--statsd", "127.0.0.1:" + std::to_string(sink.port())});
  return flags;
}

/// Says that a sleep handler has begun on the node that reports to the sink.
constexpr const char* kSleepBegan = "message.received.handle.get_sleep.tick:1|c";

TEST_F(ParityTest, Row23_ARequestWaitsForItsClient) {
  start_pair();
  ASSERT_EQ(client_->stop(), 0);
  ASSERT_TRUE(server_forgets("alpha"));
  CurlRun waiting({S("/client/127.0.0.1/time")});
  CurlRun waiting_by_name({S("/client/alpha/time")});
  EXPECT_TRUE(holds_for(1s, [&] { return waiting.running() && waiting_by_name.running(); }));
  client_ = make_client();
  expect_time(waiting.finish(), "time_from_client");
  expect_time(waiting_by_name.finish(), "time_from_client");
}

TEST_F(ParityTest, Row43_TheServerDiesUnderARequest) {
  UdpSink sink;
  start_parity_pair(with_statsd(sink));
  CurlRun slow({C("/server/sleep//20")});
  ASSERT_TRUE(sink.receives(kSleepBegan));
  server_->process().signal(SIGKILL);
  const auto killed = TestClock::now();
  const auto response = slow.finish();
  // The handler may have run, so the call is not repeated; the caller hears of it at once.
  EXPECT_LT(TestClock::now() - killed, 10s) << "the handler takes 20 s";
  EXPECT_GE(response.status, 500);
  EXPECT_EQ(response.code(), std::nullopt);
  EXPECT_FALSE(response.body.empty());
}

TEST_F(ParityTest, Row44_TheClientDiesUnderARequest) {
  UdpSink sink;
  start_parity_pair(with_statsd(sink));
  CurlRun slow({S("/client/alpha/sleep//20")});
  ASSERT_TRUE(sink.receives(kSleepBegan));
  client_->process().signal(SIGKILL);
  const auto killed = TestClock::now();
  const auto response = slow.finish();
  // A client that hung up may return for 1.5 s.
  EXPECT_LT(TestClock::now() - killed, 10s) << "the handler takes 20 s";
  EXPECT_GE(response.status, 500);
  EXPECT_EQ(response.code(), std::nullopt);
  EXPECT_FALSE(response.body.empty());
}

TEST_F(ParityTest, Row45_ARequestWaitsForTheServerThen503) {
  start_pair({"--connection-wait", "2"});
  server_->process().kill();
  ASSERT_TRUE(client_->unready());
  const auto response = curl({C("/server/time")});
  expect_refusal(response, 503);
  EXPECT_GE(response.seconds, 1.9);
  EXPECT_LT(response.seconds, 15.0) << "the default is 20 s";
}

TEST_F(ParityTest, Row45_ARequestWaitsForTheServerAndIsServed) {
  start_pair();
  server_->process().kill();
  ASSERT_TRUE(client_->unready());
  CurlRun waiting({C("/server/time")});
  EXPECT_TRUE(holds_for(500ms, [&] { return waiting.running(); }));
  restart_server();
  expect_time(waiting.finish(), "time_from_server");
}

TEST_F(ParityTest, Row46_ARestartedServerFindsItsClientAgain) {
  start_pair();
  EXPECT_EQ(server_->stop(), 0);
  restart_server();
  const auto response = curl({S("/client/localhost/time")});
  expect_time(response, "time_from_client");
  EXPECT_LT(response.seconds, 15.0) << "the longest wait between attempts is 5 s";
}

TEST_F(ParityTest, Row49_TwoAddressesAreTwoClients) {
  server_ = make_server();
  const FaultProxy first(server_->pipe_port(), "127.0.0.1");
  const FaultProxy second(server_->pipe_port(), "127.0.0.2");
  client_ = make_client({.pipe_port = first.port()});
  const auto other =
      make_client({.identity = authority_.client("beta"), .pipe_port = second.port()});
  ASSERT_TRUE(client_->ready());
  ASSERT_TRUE(other->ready());
  for (int i = 0; i < 3; ++i) {
    expect_time(curl({S("/client/127.0.0.1/time")}), "time_from_client");
    expect_time(curl({S("/client/127.0.0.2/time")}), "time_from_client");
    expect_time(curl({S("/client/alpha/time")}), "time_from_client");
    expect_time(curl({S("/client/beta/time")}), "time_from_client");
  }
}

TEST_F(ParityTest, Row50_TwoIdentitiesBehindOneAddressKeepTheirNames) {
  start_pair();
  const auto other = make_client({.identity = authority_.client("beta")});
  ASSERT_TRUE(other->ready());
  expect_time(curl({S("/client/alpha/time")}), "time_from_client");
  expect_time(curl({S("/client/beta/time")}), "time_from_client");
  const auto shared = curl({S("/client/127.0.0.1/time")});
  expect_refusal(shared, 409);
  EXPECT_EQ(client_->ready(0s), true);
}

TEST_F(ParityTest, Row65_TheHeartbeatIntervalComesFromTheEnvironment) {
  UdpSink sink;
  const NodeSetup setup = {.flags = with_statsd(sink), .env = {"RP_CLIENT_HEARTBEAT_INTERVAL_S=1"}};
  server_ = make_server(setup);
  FaultProxy wire(server_->pipe_port());
  auto client_setup = setup;
  client_setup.pipe_port = wire.port();
  client_ = make_client(client_setup);
  ASSERT_TRUE(client_->ready());
  ASSERT_TRUE(server_knows("alpha"));
  EXPECT_TRUE(sink.receives_timing("client.connect.heartbeat.timing"));

  wire.freeze(true);
  const auto frozen = TestClock::now();
  ASSERT_TRUE(server_forgets("alpha"));
  const auto noticed = TestClock::now() - frozen;
  EXPECT_GE(noticed, 900ms);
  EXPECT_LT(noticed, 9s) << "with the default of 5 s it takes 10 s";
  EXPECT_TRUE(client_->unready());
  wire.freeze(false);
  EXPECT_TRUE(client_->ready());
}

TEST_F(LabTest, ACutWireIsMendedWithoutAHand) {
  server_ = make_server();
  FaultProxy wire(server_->pipe_port());
  client_ = make_client({.pipe_port = wire.port()});
  ASSERT_TRUE(client_->ready());
  for (int i = 0; i < 3; ++i) {
    const auto before = wire.connections();
    wire.cut();
    EXPECT_TRUE(eventually([&] { return wire.connections() > before; }));
    const auto response = curl({C("/server/time")});
    expect_time(response, "time_from_server");
    EXPECT_LT(response.seconds, 15.0) << "the longest wait between attempts is 5 s";
  }
}

TEST_F(LabTest, AClientDialsTheNextAddressWhenTheFirstIsDead) {
  server_ = make_server();
  const auto nobody = port_of(listen_on_loopback());  // closed again at once
  client_ = make_client({.dial = "127.0.0.1:" + std::to_string(nobody) +
                                 ",127.0.0.1:" + std::to_string(server_->pipe_port())});
  EXPECT_TRUE(client_->ready());
  expect_time(curl({C("/server/time")}), "time_from_server");
}

}  // namespace
}  // namespace rp::product
