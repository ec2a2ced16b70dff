#include <algorithm>
#include <atomic>
#include <deque>
#include <iostream>
#include <sys/socket.h>
#include <thread>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "tests/product/harness/expect.h"
#include "tests/product/harness/lab.h"
#include "tests/product/harness/socket.h"

/// Small calls beside bulk transfers in the same pipe.
namespace rp::product {
namespace {

namespace json = boost::json;
using Duration = TestClock::duration;

/// One connection to a front-end that makes the same small call again and again.
class SmallCaller {
 public:
  SmallCaller(const Node& node, const std::string& path)
      : socket_(connect_to(node.rest_port()).value()),
        request_("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n") {}

  /// How long each of so many calls took.
  std::vector<Duration> make(int count) {
    std::vector<Duration> times;
    for (int i = 0; i < count; ++i) {
      const auto begun = TestClock::now();
      if (!call()) {
        ADD_FAILURE() << "a small call was not answered: " << answer_;
        break;
      }
      times.push_back(TestClock::now() - begun);
    }
    return times;
  }

 private:
  bool call() {
    answer_.clear();
    if (!send_all(socket_, request_)) return false;
    const auto deadline = TestClock::now() + 20s;
    while (!answer_.ends_with("\r\n\r\nplain")) {
      if (!receive_some(socket_, answer_, deadline)) return false;
    }
    return answer_.starts_with("HTTP/1.1 200 ");
  }

  const Socket socket_;
  const std::string request_;
  std::string answer_;
};

/// Transfers without an end through a node's front-end, as fast as they go, until destroyed.
class Transfers {
 public:
  Transfers(const Node& node, const std::string& peer, int downloads, int uploads) {
    for (int i = 0; i < downloads + uploads; ++i) {
      sockets_.push_back(connect_to(node.rest_port()).value());
    }
    for (int i = 0; i < downloads; ++i) {
      threads_.emplace_back([this, &socket = sockets_[static_cast<std::size_t>(i)], peer] {
        download(socket, peer);
      });
    }
    for (int i = downloads; i < downloads + uploads; ++i) {
      threads_.emplace_back(
          [this, &socket = sockets_[static_cast<std::size_t>(i)], peer] { upload(socket, peer); });
    }
  }
  ~Transfers() {
    stop_ = true;
    for (const Socket& socket : sockets_) ::shutdown(socket.fd(), SHUT_RDWR);  // ends their waits
    for (std::thread& thread : threads_) thread.join();
  }

  std::uint64_t received() const { return received_; }
  std::uint64_t sent() const { return sent_; }

 private:
  void download(const Socket& socket, const std::string& peer) {
    send_all(socket, "GET " + peer + "/pattern//100000000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::string bytes;
    while (!stop_ && receive_some(socket, bytes, TestClock::now() + 20s)) {
      received_ += bytes.size();
      bytes.clear();
    }
    EXPECT_TRUE(stop_) << "a download ended";
  }
  void upload(const Socket& socket, const std::string& peer) {
    send_all(socket, "POST " + peer +
                         "/length HTTP/1.1\r\nHost: localhost\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "4000\r\n" + std::string(0x4000, 'u') + "\r\n";
    while (!stop_ && send_all(socket, chunk)) sent_ += chunk.size();
    EXPECT_TRUE(stop_) << "an upload ended";
  }

  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> received_ = 0;
  std::atomic<std::uint64_t> sent_ = 0;
  std::deque<Socket> sockets_;
  std::vector<std::thread> threads_;
};

Duration percentile(std::vector<Duration> times, double part) {
  if (times.empty()) return Duration::zero();
  const auto at =
      times.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(times.size() - 1));
  std::nth_element(times.begin(), at, times.end());
  return *at;
}

double in_ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

class FairnessTest : public LabTest {
 protected:
  void SetUp() override {
    start_parity_pair({"--handlers", RP_COUNTING_PLUGIN, "--heartbeat-interval", "1"});
    const std::vector<std::string> flags = {"--handlers", RP_COUNTING_PLUGIN};
    other_server_ = make_server({.identity = authority_.server("other-hub"), .flags = flags});
    other_client_ = make_client({.identity = authority_.client("beta"),
                                 .flags = flags,
                                 .pipe_port = other_server_->pipe_port()});
    ASSERT_TRUE(other_client_->ready());
  }

  /// The 99th percentile of small calls while ten transfers, both ways, run through the pipe of
  /// `client`.
  static Duration p99_beside(const Node& client, SmallCaller& caller) {
    const Transfers transfers(client, "/server", 5, 5);
    const auto moving = [&](std::uint64_t bytes) {
      return transfers.received() >= bytes && transfers.sent() >= bytes;
    };
    EXPECT_TRUE(eventually([&] { return moving(kUnderWay); }));
    const auto p99 = percentile(caller.make(kCalls), 0.99);
    EXPECT_TRUE(eventually([&] { return moving(2 * kUnderWay); })) << "they have stalled";
    return p99;
  }

  /// How much slower small calls are beside transfers in their own pipe than beside the same
  /// transfers in another pipe, or alone, whichever is slower. That is what "idle" means where
  /// few cores do everything: the pipe is idle, and a call waits for a core as long as it has to.
  /// Medians of rounds that take turns.
  double slowdown(SmallCaller& caller) {
    std::vector<Duration> alone;
    std::vector<Duration> beside_others;
    std::vector<Duration> beside_own;
    for (int round = 0; round < kRounds; ++round) {
      alone.push_back(percentile(caller.make(kCalls), 0.99));
      beside_others.push_back(p99_beside(*other_client_, caller));
      beside_own.push_back(p99_beside(*client_, caller));
    }
    const auto own = percentile(beside_own, 0.5);
    const auto others = percentile(beside_others, 0.5);
    std::cout << "p99 of a small call: " << in_ms(percentile(alone, 0.5)) << " ms alone, "
              << in_ms(others) << " ms beside ten transfers in another pipe, " << in_ms(own)
              << " ms beside ten in its own\n";
    return in_ms(own) / in_ms(std::max(others, percentile(alone, 0.5)));
  }

  /// Within a factor of three. What else runs on the machine may spoil a measurement, so another
  /// one may follow; a pipe in which calls wait for transfers spoils all of them.
  void expect_fair(SmallCaller& caller) {
    caller.make(kCalls);
    double best = slowdown(caller);
    for (int again = 0; best > 3 && again < 2; ++again) best = std::min(best, slowdown(caller));
    EXPECT_LE(best, 3);
    expect_heartbeats_in_time();
  }

  /// Whatever else the pipe had to carry, neither side has taken the other for dead, and it still
  /// answers at once.
  void expect_heartbeats_in_time() {
    const auto server = json::parse(curl({C("/nodes")}).body).at("nodes").as_array().at(0);
    EXPECT_EQ(server.at("links").as_int64(), 1) << "a link was lost";
    EXPECT_EQ(server.at("resumes").as_int64(), 0);
    // The client goes on asking, and a busy machine may answer late, but not every time.
    const auto round_trip_us = [&] {
      const auto nodes = json::parse(curl({C("/nodes")}).body).at("nodes").as_array();
      return nodes.empty() ? 0 : nodes[0].at("round_trip_us").as_int64();
    };
    EXPECT_TRUE(eventually([&] { return round_trip_us() > 0 && round_trip_us() < 500'000; }))
        << "no heartbeat was answered within half of their interval: " << round_trip_us();
    EXPECT_FALSE(contains(server_->log() + client_->log(), "heartbeat_missed"));
  }

  // Small enough for a few seconds, enough for a 99th percentile that is not the worst of all.
  static constexpr int kRounds = 5;
  static constexpr int kCalls = 300;
  // The transfers have left their beginnings behind.
  static constexpr std::uint64_t kUnderWay = 10'000'000;

  std::unique_ptr<Node> other_server_;
  std::unique_ptr<Node> other_client_;
};

TEST_F(FairnessTest, TransfersLeaveTheSmallCallsOfAClientTheirPace) {
  SmallCaller caller(*client_, "/server/bare");
  expect_fair(caller);
}

TEST_F(FairnessTest, TransfersLeaveTheSmallCallsOfAServerTheirPace) {
  SmallCaller caller(*server_, "/client/alpha/bare");
  expect_fair(caller);
}

}  // namespace
}  // namespace rp::product
