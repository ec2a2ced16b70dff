#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/mesh.h"
#include "tests/product/harness/socket.h"

/// Event streams pass every node on the way event by event, never in bundles.
namespace rp::product {
namespace {

constexpr int kEvents = 40;
constexpr auto kInterval = 50ms;

/// The time from a handler's write to its reader, for each event of a stream.
std::vector<TestClock::duration> delays_of(std::uint16_t rest_port, const std::string& path) {
  const auto socket = connect_to(rest_port);
  std::vector<TestClock::duration> delays;
  if (!socket || !send_all(*socket, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")) {
    return delays;
  }
  std::string text;
  const auto deadline = TestClock::now() + kPatience;
  for (std::size_t at = 0; delays.size() < kEvents;) {
    const auto event = text.find("data: ", at);
    const auto end = event == text.npos ? text.npos : text.find("\n\n", event);
    if (end == text.npos) {
      if (!receive_some(*socket, text, deadline)) break;
      continue;
    }
    const std::chrono::nanoseconds written(std::strtoll(text.c_str() + event + 6, nullptr, 10));
    delays.push_back(TestClock::now().time_since_epoch() - written);
    at = end;
  }
  EXPECT_EQ(delays.size(), kEvents) << text;
  return delays;
}

/// An event that waits for the next one, or for a timer of that order, is an interval late.
void expect_one_by_one(std::uint16_t rest_port, const std::string& path) {
  std::vector<TestClock::duration> delays;
  const auto third_quartile = quickest(kInterval / 2, [&] {
    delays = delays_of(rest_port, path);
    if (delays.empty()) return TestClock::duration::max();
    std::sort(delays.begin(), delays.end());
    return delays[delays.size() * 3 / 4];
  });
  EXPECT_LT(third_quartile, kInterval / 2) << "one event in four waits for the next";
  if (delays.empty()) return;
  const auto in_us = [](TestClock::duration delay) {
    return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(delay).count());
  };
  ::testing::Test::RecordProperty("median_us", in_us(delays[delays.size() / 2]));
  ::testing::Test::RecordProperty("worst_us", in_us(delays.back()));
}

const std::string kTicks = "/ticks//" + std::to_string(kEvents) + "/50";

class EventStreamTest : public MeshTest {
 protected:
  void SetUp() override {
    const std::vector<std::string> flags = {"--handlers", RP_COUNTING_PLUGIN};
    start_server(kOpenPolicy, flags);
    connect("alpha", flags);
  }
};

TEST_F(EventStreamTest, AStreamOfAPluginOnTheServerArrivesEventByEvent) {
  expect_one_by_one(node("alpha").rest_port(), "/server" + kTicks);
}

TEST_F(EventStreamTest, AStreamOfAPluginOnAClientArrivesEventByEvent) {
  expect_one_by_one(server_->rest_port(), "/client/alpha" + kTicks);
}

TEST_F(EventStreamTest, AStreamThatIsRelayedArrivesEventByEvent) {
  connect("beta");
  expect_one_by_one(node("beta").rest_port(), "/client/alpha" + kTicks);
}

}  // namespace
}  // namespace rp::product
