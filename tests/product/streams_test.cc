#include <algorithm>
#include <charconv>
#include <cstdlib>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/socket.h"

/// Bodies that are larger than any memory, and readers that take their time.
namespace rp::product {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kMebibytes = 64;
constexpr std::size_t kMemoryGrowthKb = 512 * 1024;  // they keep freed memory for a while
#else
constexpr std::size_t kMebibytes = 512;
constexpr std::size_t kMemoryGrowthKb = 64 * 1024;
#endif

class StreamsTest : public LabTest {
 protected:
  void SetUp() override {
    script("post_stuck", "exec sleep 600");  // reads no body
    start_methods_pair();
  }

  /// What the server has sent to, and received from, the client.
  std::int64_t bytes_in_pipe() const {
    const auto nodes = boost::json::parse(curl({S("/nodes")}).body).at("nodes").as_array();
    return nodes.at(0).at("bytes_sent").as_int64() + nodes.at(0).at("bytes_received").as_int64();
  }

  /// How much has passed through the pipe since it was `begin`, once nothing does any more.
  /// Heartbeats and this very question are a few bytes.
  std::int64_t bytes_until_it_stops(std::int64_t begin) const {
    std::int64_t now = begin;
    const auto stands_still = [&] {
      now = bytes_in_pipe();
      return now > begin + 100'000 &&
             holds_for(300ms, [&] { return bytes_in_pipe() < now + 5'000; });
    };
    EXPECT_TRUE(eventually(stands_still));
    return now - begin;
  }
};

/// RP_TEST_STREAM_MIB makes it larger: 5120 for the five gigabytes.
TEST_F(StreamsTest, BodiesOfAnySizePassBothNodesInConstantMemory) {
  const char* const asked = std::getenv("RP_TEST_STREAM_MIB");
  const auto mebibytes = asked == nullptr ? kMebibytes : std::strtoul(asked, nullptr, 10);
  const auto bytes = std::to_string(mebibytes << 20);
  const auto server_kb = server_->memory_kb();
  const auto client_kb = client_->memory_kb();
  for (const auto& way : {C("/server/"), S("/client/alpha/")}) {
    Process down({.argv = {"sh", "-c",
                           "curl -sS --fail '" + way + "pattern//" +
                               std::to_string(mebibytes * 16) + "' | wc -c"}});
    Process up({.argv = {"sh", "-c",
                         "head -c " + bytes + " /dev/zero | curl -sS --fail -X POST -T - '" + way +
                             "length'"}});
    std::size_t server_peak = 0;
    std::size_t client_peak = 0;
    EXPECT_TRUE(eventually(std::chrono::seconds(60 + mebibytes / 8), [&] {
      server_peak = std::max(server_peak, server_->memory_kb());
      client_peak = std::max(client_peak, client_->memory_kb());
      return !down.running() && !up.running();
    }));
    EXPECT_EQ(down.out(), bytes + "\n") << down.err();
    EXPECT_EQ(up.out(), bytes) << up.err();
    EXPECT_LT(server_peak, server_kb + kMemoryGrowthKb);
    EXPECT_LT(client_peak, client_kb + kMemoryGrowthKb);
  }
}

// What may be under way for one call: windows on the pipe, and the buffers of the sockets before
// and behind it.
constexpr std::int64_t kUnderWayMax = 16 << 20;

TEST_F(StreamsTest, AReaderThatStopsStopsItsOwnSenderOnly) {
  const auto begin = bytes_in_pipe();
  const auto reader = connect_to(client_->rest_port()).value();
  ASSERT_TRUE(send_all(reader,
                       "GET /server/pattern//3200 HTTP/1.1\r\nHost: localhost\r\n"
                       "Connection: close\r\n\r\n"));  // 200 MiB
  EXPECT_LT(bytes_until_it_stops(begin), kUnderWayMax);
  EXPECT_EQ(curl({C("/server/bare")}).body, "plain");
  EXPECT_EQ(curl({C("/server/pattern//160")}).body.size(), 160u * 65'536) << "another transfer";
  std::string bytes;
  std::size_t total = 0;
  while (receive_some(reader, bytes, TestClock::now() + 20s)) {
    total += bytes.size();
    bytes.clear();
  }
  EXPECT_GT(total, 3200u * 65'536) << "it goes on where it stopped";
}

TEST_F(StreamsTest, AHandlerThatReadsNothingStopsItsOwnCallerOnly) {
  const auto data = data_file("large", std::string(100'000'000, 'x'));
  const auto begin = bytes_in_pipe();
  CurlRun upload({"-X", "POST", "-H", "Expect:", "--data-binary", data, C("/server/stuck")});
  EXPECT_LT(bytes_until_it_stops(begin), kUnderWayMax);
  EXPECT_TRUE(upload.running());
  EXPECT_EQ(curl({C("/server/bare")}).body, "plain");
  const auto other = data_file("other", std::string(10'000'000, 'x'));
  EXPECT_EQ(curl({"-X", "POST", "-H", "Expect:", "--data-binary", other, C("/server/length")}).body,
            "10000000");
  EXPECT_TRUE(upload.running());
}

}  // namespace
}  // namespace rp::product
