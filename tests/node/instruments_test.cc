#include "node/instruments.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/udp_sink.h"

namespace rp::node {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

/// A node's instruments in front of a sink.
struct Bench {
  explicit Bench(Role role) : instruments(role, registry, statsd) {}

  UdpSink sink;
  Statsd statsd{HostPort{"127.0.0.1", sink.port()}};
  Registry registry;
  Instruments instruments;
};

// Parity row 66, the client's half: a heartbeat counts as a request, as in the reference.
TEST(InstrumentsTest, AClientTicksWhatItSends) {
  Bench bench(Role::client);
  bench.instruments.call_started();
  bench.instruments.call_finished(milliseconds(3), true);
  EXPECT_THAT(bench.sink.take(2), ElementsAre("message.send.tick:1|c", "message.send.timing:3|ms"));
  bench.instruments.heartbeat_started();
  bench.instruments.heartbeat_answered(milliseconds(1));
  EXPECT_THAT(bench.sink.take(3),
              ElementsAre("message.send.tick:1|c", "client.connect.heartbeat.timing:1|ms",
                          "message.send.timing:1|ms"));
  EXPECT_TRUE(bench.sink.empty());
}

TEST(InstrumentsTest, AServerDoesNot) {
  Bench bench(Role::server);
  bench.instruments.call_started();
  bench.instruments.call_finished(milliseconds(3), true);
  bench.instruments.heartbeat_started();
  bench.instruments.heartbeat_answered(milliseconds(1));
  EXPECT_TRUE(bench.sink.empty());
  EXPECT_THAT(bench.registry.prometheus_text(), HasSubstr("\nrestpipe_calls_total 1\n"));
}

// Parity row 66, the server's half, in the reference's order.
TEST(InstrumentsTest, AReceivedEventIsFourMetrics) {
  Bench bench(Role::server);
  bench.instruments.message_received();
  bench.instruments.handler_started("get_time");
  bench.instruments.handler_finished("get_time", milliseconds(2), true);
  bench.instruments.message_handled(milliseconds(5));
  EXPECT_THAT(bench.sink.take(4),
              ElementsAre("message.receive.tick:1|c", "message.received.handle.get_time.tick:1|c",
                          "message.received.handle.get_time.timing:2|ms",
                          "message.receive.handle.timing:5|ms"));
  EXPECT_TRUE(bench.sink.empty());
  EXPECT_THAT(bench.registry.prometheus_text(),
              HasSubstr("restpipe_handler_seconds_count{method=\"get_time\"} 1\n"));
}

// Parity row 67, server up.
TEST(InstrumentsTest, AConnectionThatSucceeds) {
  Bench bench(Role::client);
  bench.instruments.connect_started();
  bench.instruments.connect_succeeded(milliseconds(9));
  EXPECT_THAT(
      bench.sink.take(4),
      ElementsAre("client.connect.new.tick:1|c", "client.connect.heartbeat.success.tick:1|c",
                  "client.connect.heartbeat.timing:9|ms", "client.connect.connected.tick:1|c"));
  bench.instruments.pipe_broken();
  EXPECT_THAT(bench.sink.take(1), ElementsAre("client.connect.broken.tick:1|c"));
  EXPECT_TRUE(bench.sink.empty());
}

// Parity row 67, server down.
TEST(InstrumentsTest, AConnectionThatFails) {
  Bench bench(Role::client);
  bench.instruments.connect_started();
  bench.instruments.connect_failed();
  EXPECT_THAT(bench.sink.take(3),
              ElementsAre("client.connect.new.tick:1|c", "client.connect.broken.tick:1|c",
                          "client.connect.heartbeat.fail.tick:1|c"));
  EXPECT_TRUE(bench.sink.empty());
}

TEST(InstrumentsTest, FailuresAreCountedApart) {
  Bench bench(Role::server);
  bench.instruments.call_started();
  bench.instruments.call_finished(milliseconds(1), false);
  bench.instruments.handler_started("get_x");
  bench.instruments.handler_finished("get_x", milliseconds(1), false);
  const std::string text = bench.registry.prometheus_text();
  EXPECT_THAT(text, HasSubstr("\nrestpipe_call_failures_total 1\n"));
  EXPECT_THAT(text, HasSubstr("restpipe_handler_failures_total{method=\"get_x\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nrestpipe_call_seconds_count 0\n"));
}

// Threat T24: a method name is text from a stranger.
TEST(InstrumentsTest, MethodNamesCannotInjectMetrics) {
  Bench bench(Role::server);
  bench.instruments.handler_started("get_a|c\nfake:1");
  EXPECT_THAT(bench.sink.take(1), ElementsAre("message.received.handle.get_a_c_fake_1.tick:1|c"));
  const std::string longest(5'000, 'a');
  bench.instruments.handler_started(longest);
  EXPECT_THAT(bench.sink.take(1),
              ElementsAre("message.received.handle." + longest.substr(0, 96) + ".tick:1|c"));
}

TEST(InstrumentsTest, MethodsBeyondTheBoundShareOneSeries) {
  Registry registry;
  Statsd off(std::nullopt);
  Instruments instruments(Role::server, registry, off);
  for (std::size_t i = 0; i < Instruments::kMethodsMax + 50; ++i) {
    instruments.handler_finished("m" + std::to_string(i), milliseconds(1), true);
  }
  EXPECT_THAT(registry.prometheus_text(),
              HasSubstr("restpipe_handler_seconds_count{method=\"other\"} 50\n"));
}

TEST(InstrumentsTest, ThreadsMayMeetAtANewMethod) {
  Registry registry;
  Statsd off(std::nullopt);
  Instruments instruments(Role::server, registry, off);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        instruments.handler_finished("m" + std::to_string(i), milliseconds(1), true);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(registry.prometheus_text(),
              HasSubstr("restpipe_handler_seconds_count{method=\"m99\"} 4\n"));
}

}  // namespace
}  // namespace rp::node
