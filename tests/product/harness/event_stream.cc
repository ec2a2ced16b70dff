#include "tests/product/harness/event_stream.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

#include "tests/product/harness/socket.h"

namespace rp::product {
namespace {

/// The time from the writing of each event to its arrival.
std::vector<TestClock::duration> delays_of(std::uint16_t rest_port, const std::string& path,
                                           std::size_t count) {
  const auto socket = connect_to(rest_port);
  std::vector<TestClock::duration> delays;
  std::string text;
  if (socket && send_all(*socket, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")) {
    const auto deadline = TestClock::now() + kPatience;
    for (std::size_t at = 0; delays.size() < count;) {
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
  }
  EXPECT_EQ(delays.size(), count) << text;
  return delays;
}

}  // namespace

void expect_one_by_one(std::uint16_t rest_port, const std::string& path, std::size_t count,
                       TestClock::duration interval) {
  std::vector<TestClock::duration> delays;
  const auto third_quartile = quickest(interval / 2, [&] {
    delays = delays_of(rest_port, path, count);
    if (delays.empty()) return TestClock::duration::max();
    std::sort(delays.begin(), delays.end());
    return delays[delays.size() * 3 / 4];
  });
  EXPECT_LT(third_quartile, interval / 2) << "one event in four waits for the next";
  if (delays.empty()) return;
  const auto in_us = [](TestClock::duration delay) {
    return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(delay).count());
  };
  ::testing::Test::RecordProperty("median_us", in_us(delays[delays.size() / 2]));
  ::testing::Test::RecordProperty("worst_us", in_us(delays.back()));
}

}  // namespace rp::product
