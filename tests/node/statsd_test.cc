#include "node/statsd.h"

#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/node/udp_sink.h"

namespace rp::node {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::ElementsAre;

// Parity row 66: the formats.
TEST(StatsdTest, SendsOneDatagramForEachMetric) {
  UdpSink sink;
  Statsd statsd(HostPort{"127.0.0.1", sink.port()});
  ASSERT_TRUE(statsd.enabled());
  statsd.tick("message.send.tick");
  statsd.timing("message.send.timing", milliseconds(42));
  statsd.timing("message.send.timing", microseconds(999));
  EXPECT_THAT(sink.take(3), ElementsAre("message.send.tick:1|c", "message.send.timing:42|ms",
                                        "message.send.timing:0|ms"));
  EXPECT_TRUE(sink.empty());
}

TEST(StatsdTest, ResolvesTheDaemonsNameBeforeTheFirstMetric) {
  UdpSink sink;
  Statsd statsd(HostPort{"localhost", sink.port()});
  statsd.tick("a");
  EXPECT_THAT(sink.take(1), ElementsAre("a:1|c"));
}

// Parity row 68.
TEST(StatsdTest, DoesNothingWithoutADaemon) {
  Statsd statsd(std::nullopt);
  EXPECT_FALSE(statsd.enabled());
  statsd.tick("a");
  statsd.timing("a", milliseconds(1));
}

TEST(StatsdTest, GoesOnWithoutADaemonWhoseNameDoesNotResolve) {
  Statsd statsd(HostPort{"no-such-host.invalid", 8125});
  EXPECT_FALSE(statsd.enabled());
  statsd.tick("a");
}

TEST(StatsdTest, ADaemonThatComesLaterGetsMetricsAgain) {
  std::optional<UdpSink> sink(std::in_place);
  const std::uint16_t port = sink->port();
  Statsd statsd(HostPort{"127.0.0.1", port});
  sink.reset();
  for (int i = 0; i < 10; ++i) statsd.tick("lost");  // refused, which must not throw or block

  sink.emplace(port);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (sink->empty() && std::chrono::steady_clock::now() < deadline) {
    statsd.tick("found");
    std::this_thread::yield();
  }
  EXPECT_THAT(sink->take(1), ElementsAre("found:1|c"));
  statsd.tick("next");
  EXPECT_THAT(sink->take(1), ElementsAre("next:1|c"));
}

TEST(StatsdTest, AFullSocketDropsInsteadOfBlocking) {
  UdpSink sink;
  Statsd statsd(HostPort{"127.0.0.1", sink.port()});
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20'000; ++i) statsd.tick("flood");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_FALSE(sink.empty());
}

TEST(StatsdTest, ThreadsMaySendAtOnce) {
  UdpSink sink;
  Statsd statsd(HostPort{"127.0.0.1", sink.port()});
  std::thread other([&] {
    for (int i = 0; i < 50; ++i) statsd.tick("a");
  });
  for (int i = 0; i < 50; ++i) statsd.timing("b", milliseconds(i));
  other.join();
  EXPECT_EQ(sink.take(100).size(), 100U);
}

TEST(StatsdTest, NamesCarryNoMarksOfTheProtocol) {
  EXPECT_EQ(Statsd::sanitised("get_time", 64), "get_time");
  EXPECT_EQ(Statsd::sanitised("a|c\nb:1@\x1b[ \xc3\xa9", 64), "a_c_b_1______");
  EXPECT_EQ(Statsd::sanitised("abcdef", 3), "abc");
}

TEST(StatsdTest, ANameThatIsTooLongIsNotSent) {
  UdpSink sink;
  Statsd statsd(HostPort{"127.0.0.1", sink.port()});
  statsd.tick(std::string(129, 'a'));
  statsd.timing(std::string(129, 'a'), milliseconds(1));
  statsd.tick(std::string(128, 'a'));
  EXPECT_THAT(sink.take(1), ElementsAre(std::string(128, 'a') + ":1|c"));
  EXPECT_TRUE(sink.empty());
}

}  // namespace
}  // namespace rp::node
