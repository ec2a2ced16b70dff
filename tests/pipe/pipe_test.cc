#include "pipe/pipe.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/pipe/loopback.h"

/// Two good nodes over TLS on the loopback interface.
namespace rp::pipe {
namespace {

using namespace test;
using certs::Role;

class PipePair : public ::testing::Test {
 protected:
  explicit PipePair(Pipe::Options options = {})
      : server_(Role::server, options), client_(Role::client, options) {}

  void SetUp() override {
    start();
    ASSERT_TRUE(client_.wait_open());
    ASSERT_TRUE(server_.wait_open());
  }
  void start() {
    const SocketPair sockets;
    server_.start(sockets.accepted);
    client_.start(sockets.dialled);
  }
  /// Waits until the server's handlers hold that many calls.
  bool wait_stalled(std::size_t calls) {
    const auto until = Clock::now() + kPatience;
    while (server_.handlers.stalled() < calls) {
      if (Clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

  PipeHost server_;
  PipeHost client_;
};

TEST_F(PipePair, KnowEachOtherByCertificate) {
  const auto there = client_.call("echo", "up");
  ASSERT_TRUE(there->wait());
  EXPECT_EQ(there->body(), "up");
  EXPECT_EQ(server_.handlers.last_origin().node, "node-a");
  EXPECT_EQ(server_.handlers.last_origin().address, "127.0.0.1");
  EXPECT_NE(server_.handlers.last_origin().port, 0);
  const auto back = server_.call("echo", "down");
  ASSERT_TRUE(back->wait());
  EXPECT_EQ(back->body(), "down");
  EXPECT_EQ(client_.handlers.last_origin().node, "localhost");
  EXPECT_TRUE(client_.at_home([](Pipe& pipe) {
    EXPECT_TRUE(pipe.is_open());
    EXPECT_EQ(pipe.peer().node, "localhost");
    ASSERT_NE(pipe.peer_hello(), nullptr);
    EXPECT_EQ(pipe.peer_hello()->node, "server");
  }));
}

TEST_F(PipePair, CarryTenMegabytesBothWaysAtOnce) {
  std::string up(10 << 20, 'u');
  std::string down(10 << 20, 'd');
  for (std::size_t i = 0; i < up.size(); i += 997) up[i] = static_cast<char>(i);
  const auto one = client_.call("echo", up);
  const auto two = server_.call("echo", down);
  ASSERT_TRUE(one->wait());
  ASSERT_TRUE(two->wait());
  EXPECT_TRUE(one->body() == up);
  EXPECT_TRUE(two->body() == down);
}

TEST_F(PipePair, AnswerCallsFromManyThreadsInBothDirections) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 200;
  std::atomic<int> right{0};
  const auto calls = [&](PipeHost& from, int seed) {
    const auto target = from.target();
    for (int i = 0; i < kCalls; ++i) {
      const std::string body = std::to_string(seed) + "-" + std::to_string(i);
      Event event;
      event.verb = "post";
      event.noun = i % 20 == 0 ? "thread" : "echo";
      event.request_id = "t";
      auto sink = std::make_shared<WaitingSink>();
      (void)target->submit(std::move(event), std::string(body), {}, sink);
      if (sink->wait() && sink->body() == body && sink->endings() == 1) ++right;
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back(calls, std::ref(t % 2 == 0 ? client_ : server_), t);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, kThreads * kCalls);
}

TEST_F(PipePair, CancelFromAnotherThreadReachesTheHandler) {
  const auto sink = client_.call("stall");
  ASSERT_TRUE(wait_stalled(1));
  client_.last_control()->cancel();
  ASSERT_TRUE(client_.call("echo")->wait()) << "a round trip behind the CANCEL";
  EXPECT_EQ(server_.handlers.cancelled, 1);
  EXPECT_EQ(sink->endings(), 0);
}

TEST_F(PipePair, FailCallsInFlightWhenOneSideIsDestroyed) {
  std::vector<std::shared_ptr<WaitingSink>> sinks;
  for (int i = 0; i < 100; ++i) sinks.push_back(client_.call("stall", std::string(2000, 'b')));
  ASSERT_TRUE(wait_stalled(100));
  server_.close(Errc::stopped);
  for (const auto& sink : sinks) {
    ASSERT_TRUE(sink->wait());
    EXPECT_EQ(sink->failed_with(), Errc::session_lost);
    EXPECT_EQ(sink->endings(), 1);
  }
  EXPECT_TRUE(client_.wait_end());
  EXPECT_EQ(server_.wait_end(), Errc::stopped);
  EXPECT_EQ(server_.handlers.cancelled, 100);
  server_.handlers.release();  // answers to nobody
}

TEST_F(PipePair, FailCallsThatAreMadeWhileThePipeEnds) {
  const auto target = client_.target();
  std::vector<std::shared_ptr<WaitingSink>> sinks;
  std::thread caller([&] {
    for (int i = 0; i < 2000; ++i) {
      Event event;
      event.verb = "get";
      event.noun = "echo";
      sinks.push_back(std::make_shared<WaitingSink>());
      (void)target->submit(std::move(event), "", {}, sinks.back());
    }
  });
  client_.close(Errc::stopped);
  caller.join();
  for (const auto& sink : sinks) {
    ASSERT_TRUE(sink->wait());
    EXPECT_EQ(sink->endings(), 1);
  }
}

TEST_F(PipePair, ATargetOutlivesItsPipe) {
  client_.close(Errc::stopped);
  client_.wait_end();
  const auto sink = client_.call("echo");
  ASSERT_TRUE(sink->wait());
  EXPECT_EQ(sink->failed_with(), Errc::peer_unavailable);
}

TEST_F(PipePair, ATargetWhoseThreadHasStoppedFailsItsCalls) {
  client_.close(Errc::stopped);
  client_.wait_end();
  client_.thread().stop();
  const auto sink = client_.call("echo");
  ASSERT_TRUE(sink->wait());
  EXPECT_EQ(sink->failed_with(), Errc::stopped);
}

TEST_F(PipePair, GoodbyeTellsThePeerTheReason) {
  EXPECT_TRUE(server_.at_home([](Pipe& pipe) {
    pipe.goodbye({Errc::replaced, "a newer pipe"}, /*drain=*/false);
  }));
  EXPECT_EQ(client_.wait_end(), Errc::replaced);
  EXPECT_EQ(client_.detail(), "a newer pipe");
  EXPECT_EQ(server_.wait_end(), Errc::replaced);
}

TEST_F(PipePair, GoodbyeTellsTheReasonUnderLoadToo) {
  std::vector<std::shared_ptr<WaitingSink>> sinks;
  for (int i = 0; i < 500; ++i) sinks.push_back(client_.call("echo", std::string(5000, 'b')));
  EXPECT_TRUE(server_.at_home([](Pipe& pipe) {
    pipe.goodbye({Errc::replaced, "a newer pipe"}, /*drain=*/false);
  }));
  EXPECT_EQ(client_.wait_end(), Errc::replaced);
  for (const auto& sink : sinks) {
    ASSERT_TRUE(sink->wait());
    EXPECT_EQ(sink->endings(), 1);
  }
}

TEST_F(PipePair, DrainLosesNoAnswer) {
  std::vector<std::shared_ptr<WaitingSink>> sinks;
  for (int i = 0; i < 20; ++i) sinks.push_back(client_.call(i % 2 == 0 ? "big" : "stall"));
  ASSERT_TRUE(wait_stalled(10));
  EXPECT_TRUE(server_.at_home([](Pipe& pipe) { pipe.goodbye({Errc::stopped, ""}, true); }));
  server_.handlers.release();
  EXPECT_EQ(server_.wait_end(), Errc::draining);
  client_.wait_end();
  EXPECT_EQ(client_.draining, 1);
  for (const auto& sink : sinks) {
    ASSERT_TRUE(sink->wait());
    EXPECT_FALSE(sink->failure()) << sink->failure()->detail;
  }
}

class FastHeartbeats : public PipePair {
 protected:
  FastHeartbeats() : PipePair(options()) {}
  static Pipe::Options options() {
    Pipe::Options o;
    o.self.heartbeat = {.interval = 20ms, .timeout = 5000ms};
    return o;
  }
};

TEST_F(FastHeartbeats, KeepAnIdlePipeAlive) {
  const auto round_trip = [this] {
    std::chrono::microseconds measured{0};
    client_.at_home([&](Pipe& pipe) { measured = pipe.stats().round_trip; });
    return measured;
  };
  const auto until = Clock::now() + kPatience;
  while (round_trip() == 0us && Clock::now() < until) std::this_thread::yield();
  EXPECT_GT(round_trip(), 0us);
  EXPECT_FALSE(client_.has_ended());
}

class Refusals : public PipePair {
 protected:
  void SetUp() override {}
};

TEST_F(Refusals, TheOwnersReasonReachesThePeer) {
  server_.admit = [](const Origin& peer) {
    EXPECT_EQ(peer.node, "node-a");
    return make_error_code(Errc::overloaded);
  };
  start();
  EXPECT_EQ(client_.wait_end(), Errc::overloaded);
  EXPECT_NE(client_.detail(), "");
  EXPECT_EQ(server_.wait_end(), Errc::overloaded);
  EXPECT_FALSE(client_.wait_open());
}

TEST_F(Refusals, AClientTakesNoServerOfAnotherName) {
  const SocketPair sockets;
  server_.start(sockets.accepted);
  client_.start(sockets.dialled, "other.example");
  EXPECT_EQ(client_.wait_end(), Errc::bad_identity);
  EXPECT_NE(client_.detail(), "");
  EXPECT_TRUE(server_.wait_end());
  EXPECT_EQ(server_.handlers.submitted, 0);
}

TEST_F(Refusals, AClientTakesAServerByItsAddress) {
  const SocketPair sockets;
  server_.start(sockets.accepted);
  client_.start(sockets.dialled, "127.0.0.1");
  EXPECT_TRUE(client_.wait_open());
}

TEST_F(Refusals, ClosingDuringTheHandshakeEndsThePipeWithThatReason) {
  const SocketPair sockets;
  client_.start(sockets.dialled);  // nobody answers
  client_.close(Errc::stopped);
  EXPECT_EQ(client_.wait_end(), Errc::stopped);
  server_.start(sockets.accepted);
}

}  // namespace
}  // namespace rp::pipe
