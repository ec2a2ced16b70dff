#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/rest/front_end.h"

namespace rp::rest::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

/// Keeps each exchange and counts the disconnects that are reported.
class DisconnectTest : public testing::Test {
 protected:
  void serve(ServerOptions options = {}) {
    front_.emplace(
        [this](std::shared_ptr<Exchange> exchange) {
          exchange->on_disconnect([this] {
            left_at_ = steady_clock::now();
            ++left_;
          });
          handed_.put(std::move(exchange));
        },
        std::move(options));
  }
  std::shared_ptr<Exchange> next() { return handed_.take().value(); }

  Handover<std::shared_ptr<Exchange>> handed_;
  std::atomic<int> left_{0};
  std::atomic<steady_clock::time_point> left_at_{};
  std::optional<FrontEnd> front_;
};

TEST_F(DisconnectTest, IsReportedOnceWithin100MillisecondsOfAClose) {
  serve();
  int closed = 0;
  const auto close = [&] {
    auto client = front_->connect();
    client.send(get("/"));
    const auto exchange = next();
    const auto closed_at = steady_clock::now();
    client.close();
    ++closed;
    EXPECT_TRUE(eventually([&] { return left_ == closed; }));
    EXPECT_TRUE(exchange->disconnected());
    exchange->respond(ok("nobody reads this"));
    return left_at_.load() - closed_at;
  };
  EXPECT_LT(quickest(100ms, close), 100ms);
  EXPECT_TRUE(eventually([&] { return front_->stats().connections_open == 0; }));
  EXPECT_EQ(left_, closed);
  EXPECT_EQ(front_->stats().clients_left, static_cast<std::uint64_t>(closed));
  EXPECT_EQ(front_->stats().requests_in_flight, 0U);
}

TEST_F(DisconnectTest, IsReportedForAReset) {
  serve();
  auto client = front_->connect();
  client.send(get("/"));
  const auto exchange = next();
  client.reset();
  EXPECT_TRUE(eventually([&] { return left_ == 1; }));
}

TEST_F(DisconnectTest, IsReportedOnAUnixSocket) {
  const TempDir dir;
  ServerOptions options;
  options.endpoints = {{"", 0, dir.file("s")}};
  serve(options);
  auto client = front_->connect();
  client.send(get("/"));
  const auto exchange = next();
  client.close();
  EXPECT_TRUE(eventually([&] { return left_ == 1; }));
  front_.reset();
}

TEST_F(DisconnectTest, IsReportedInAStreamThatIsSilent) {
  serve();
  auto client = front_->connect();
  client.send(get("/"));
  const auto exchange = next();
  exchange->begin({200, "", "text/event-stream", {}});
  EXPECT_TRUE(exchange->write("data: 1\n\n"));
  EXPECT_EQ(client.read_bytes(15), "HTTP/1.1 200 OK");
  client.close();
  ASSERT_TRUE(eventually([&] { return left_ == 1; }));
  EXPECT_FALSE(exchange->write("data: 2\n\n"));
}

TEST_F(DisconnectTest, IsReportedBehindPipelinedBytesThatAreNotReadYet) {
  ServerOptions options;
  options.limits.pipelined_bytes_max = 4096;
  serve(options);
  auto client = front_->connect();
  client.send(get("/first"));
  const auto exchange = next();
  client.send(std::string(32 * 1024, 'x'));
  client.close();
  EXPECT_TRUE(eventually([&] { return left_ == 1; }));
}

TEST_F(DisconnectTest, IsReportedAtOnceToALateListener) {
  Handover<std::shared_ptr<Exchange>> handed;
  const FrontEnd front(
      [&](std::shared_ptr<Exchange> exchange) { handed.put(std::move(exchange)); });
  auto client = front.connect();
  client.send(get("/"));
  const auto exchange = handed.take().value();
  client.close();
  ASSERT_TRUE(eventually([&] { return exchange->disconnected(); }));
  bool told = false;
  exchange->on_disconnect([&] { told = true; });
  EXPECT_TRUE(told);
}

TEST_F(DisconnectTest, IsNotReportedAfterTheAnswer) {
  serve();
  auto client = front_->connect();
  client.send(get("/"));
  const auto exchange = next();
  exchange->respond(ok("in time"));
  EXPECT_EQ(client.read_answer().body, "in time");
  client.close();
  EXPECT_TRUE(eventually([&] { return front_->stats().connections_open == 0; }));
  EXPECT_EQ(left_, 0);
}

TEST_F(DisconnectTest, IsReportedWhenTheServerStops) {
  serve();
  auto client = front_->connect();
  client.send(get("/"));
  const auto exchange = next();
  front_->server().stop();
  EXPECT_EQ(left_, 1);
  exchange->respond(ok("too late"));
}

TEST_F(DisconnectTest, AnswersAClientThatHalfClosedWhenTheAnswerIsQuick) {
  serve();
  auto client = front_->connect();
  client.send(get("/"));
  client.half_close();
  next()->respond(ok("quick"));
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.body, "quick");
  EXPECT_TRUE(client.closed_within(kPatience));
  EXPECT_EQ(left_, 0);
}

TEST_F(DisconnectTest, AnswersEveryPipelinedRequestOfAClientThatHalfClosed) {
  const FrontEnd front([](const std::shared_ptr<Exchange>& exchange) {
    exchange->respond(ok(exchange->request().path()));
  });
  auto client = front.connect();
  client.send(get("/1") + get("/2") + get("/3"));
  client.half_close();
  for (const auto* path : {"/1", "/2", "/3"}) EXPECT_EQ(client.read_answer().body, path);
  EXPECT_TRUE(client.closed_within(kPatience));
}

TEST_F(DisconnectTest, SendsALargeAnswerToAClientThatHalfClosed) {
  const std::string large(8 * 1024 * 1024, 'x');
  const FrontEnd front(
      [&](const std::shared_ptr<Exchange>& exchange) { exchange->respond(ok(large)); });
  auto client = front.connect(4096);
  client.send(get("/"));
  client.half_close();
  EXPECT_EQ(client.read_answer().body.size(), large.size());
}

TEST_F(DisconnectTest, TakesAHalfCloseOverTcpForALeaveAfterTheGrace) {
  serve();
  auto client = front_->connect();
  client.send(get("/"));
  const auto exchange = next();
  client.half_close();
  EXPECT_TRUE(eventually([&] { return left_ == 1; }));
}

TEST_F(DisconnectTest, TakesAFinLongAfterTheRequestForALeaveAtOnce) {
  constexpr auto kGrace = 500ms;
  ServerOptions options;
  options.limits.half_close_grace = kGrace;
  serve(options);
  int closed = 0;
  const auto close = [&] {
    auto client = front_->connect();
    client.send(get("/"));
    const auto exchange = next();
    std::this_thread::sleep_for(kGrace + 100ms);  // the client waits, as in a long poll
    const auto closed_at = steady_clock::now();
    client.close();
    ++closed;
    EXPECT_TRUE(eventually([&] { return left_ == closed; }));
    return left_at_.load() - closed_at;
  };
  EXPECT_LT(quickest(kGrace - 100ms, close), kGrace - 100ms);
}

TEST_F(DisconnectTest, WaitsForAHalfClosedClientOnAUnixSocket) {
  const TempDir dir;
  ServerOptions options;
  options.endpoints = {{"", 0, dir.file("s")}};
  options.limits.half_close_grace = 1ms;
  options.limits.head_timeout = options.limits.idle_timeout = 20ms;
  serve(options);
  auto client = front_->connect();
  client.send(get("/"));
  client.half_close();
  const auto exchange = next();
  // Several sweeps pass before the answer comes; a full close would have been told by then.
  auto witness = front_->connect();
  EXPECT_TRUE(witness.closed_within(kPatience));
  exchange->respond(ok("late"));
  EXPECT_EQ(client.read_answer().body, "late");
  EXPECT_EQ(left_, 0);
  front_.reset();
}

TEST_F(DisconnectTest, ForgetsARequestThatNeverBecameComplete) {
  serve();
  auto client = front_->connect();
  client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  client.close();
  EXPECT_TRUE(eventually([&] {
    return front_->stats().connections_accepted == 1 && front_->stats().connections_open == 0;
  }));
  EXPECT_EQ(front_->stats().requests, 0U);
  EXPECT_EQ(front_->stats().body_bytes_buffered, 0U);
}

}  // namespace
}  // namespace rp::rest::test
