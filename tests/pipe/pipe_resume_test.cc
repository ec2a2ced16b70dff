#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "pipe/pipe.h"
#include "tests/pipe/loopback.h"

/// One session over several links, on real sockets and threads.
namespace rp::pipe {
namespace {

using namespace test;
using certs::Role;

/// What a pipe gave back, to be sent over another session.
class Returns {
 public:
  struct Call {
    Event event;
    std::string body;
    std::shared_ptr<ReplySink> sink;
  };

  Pipe::Returned taker() {
    return [this](Event event, std::string body, std::shared_ptr<ReplySink> sink) {
      const std::lock_guard lock(mutex_);
      calls_.push_back({std::move(event), std::move(body), std::move(sink)});
      controls_.push_back(std::make_shared<NotedBody>());
      returned_.notify_all();
      return controls_.back();
    };
  }
  bool wait(std::size_t calls) {
    std::unique_lock lock(mutex_);
    return returned_.wait_for(lock, kPatience, [&] { return calls_.size() >= calls; });
  }
  const Call& call(std::size_t i) const { return calls_[i]; }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return calls_.size();
  }
  /// The body that followed the first call, on the pipe's thread.
  std::string body_behind() { return controls_.front()->body; }

 private:
  struct NotedBody final : CallControl {
    void cancel() override {}
    void consumed(std::size_t) override {}
    void body_data(std::string piece) override { body += piece; }
    void body_end() override { body += "."; }
    std::string body;
  };

  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<Call> calls_;
  std::vector<std::shared_ptr<NotedBody>> controls_;
};

class Resumption : public ::testing::Test {
 protected:
  explicit Resumption(Pipe::Options options = {})
      : server_(Role::server, options), client_(Role::client, with_returns(options)) {
    server_.keep_session();
    client_.keep_session();
  }
  ~Resumption() override { server_.handlers.release(); }

  void SetUp() override { link(); }
  Pipe::Options with_returns(Pipe::Options options) {
    options.returned = returns_.taker();
    return options;
  }
  /// One more link between the two.
  void link() {
    const SocketPair sockets;
    server_.start(sockets.accepted);
    client_.start(sockets.dialled);
    ASSERT_TRUE(client_.wait_open());
    ASSERT_TRUE(server_.wait_open());
  }
  /// The present one breaks; both sides know it when this returns.
  void lose_link() {
    ++lost_;
    EXPECT_TRUE(server_.at_home([](Pipe& pipe) { pipe.drop_link(Errc::link_lost); }));
    ASSERT_TRUE(server_.wait_detached(lost_));
    ASSERT_TRUE(client_.wait_detached(lost_));
  }
  bool wait_stalled(std::size_t calls) {
    const auto until = Clock::now() + kPatience;
    while (server_.handlers.stalled() < calls) {
      if (Clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

  Returns returns_;
  PipeHost server_;
  PipeHost client_;
  int lost_ = 0;
};

TEST_F(Resumption, CallsInFlightAreAnsweredOnce) {
  std::vector<std::shared_ptr<WaitingSink>> sinks;
  for (int i = 0; i < 100; ++i) sinks.push_back(client_.call("stall", std::string(2000, 'b')));
  ASSERT_TRUE(wait_stalled(100));
  lose_link();
  server_.handlers.release();
  link();
  for (const auto& sink : sinks) {
    ASSERT_TRUE(sink->wait());
    EXPECT_EQ(sink->body(), "released");
    EXPECT_EQ(sink->endings(), 1);
  }
  EXPECT_EQ(server_.handlers.submitted, 100);
  EXPECT_EQ(server_.handlers.cancelled, 0);
  EXPECT_TRUE(client_.at_home([](Pipe& pipe) { EXPECT_EQ(pipe.resumes(), 1U); }));
}

TEST_F(Resumption, BodiesGoOnAtTheByte) {
  std::string up(20 << 20, 'u');
  for (std::size_t i = 0; i < up.size(); i += 997) up[i] = static_cast<char>(i);
  const auto there = client_.call("echo", up);
  const auto back = server_.call("echo", up);
  for (int i = 0; i < 5; ++i) {
    lose_link();
    link();
  }
  ASSERT_TRUE(there->wait());
  ASSERT_TRUE(back->wait());
  EXPECT_TRUE(there->body() == up);
  EXPECT_TRUE(back->body() == up);
}

TEST_F(Resumption, ALinkThatIsUpGivesWayToTheNext) {
  const auto sink = client_.call("stall");
  ASSERT_TRUE(wait_stalled(1));
  const SocketPair sockets;
  server_.start(sockets.accepted);
  client_.start(sockets.dialled);
  const auto resumed = [](PipeHost& host) {
    std::uint64_t resumes = 0;
    EXPECT_TRUE(host.at_home([&](Pipe& pipe) { resumes = pipe.is_open() ? pipe.resumes() : 0; }));
    return resumes > 0;
  };
  const auto until = Clock::now() + kPatience;
  while (!(resumed(server_) && resumed(client_)) && Clock::now() < until) std::this_thread::yield();
  server_.handlers.release();
  ASSERT_TRUE(sink->wait());
  EXPECT_EQ(sink->body(), "released");
}

TEST_F(Resumption, CallsFromManyThreadsSurviveAnyLoss) {
  std::atomic<bool> stop{false};
  std::atomic<int> made{0};
  const auto caller = [&](PipeHost& host) {
    const auto target = host.target();
    while (!stop) {
      Event event;
      event.verb = "post";
      event.noun = "echo";
      event.request_id = "t";
      const std::string body(static_cast<std::size_t>(made % 3000), 'x');
      auto sink = std::make_shared<WaitingSink>();
      (void)target->submit(std::move(event), std::string(body), {}, sink);
      // A call that comes while there is no link is given back: the test's end of the story.
      while (sink->endings() == 0 && returns_.count() == 0 && !stop) std::this_thread::yield();
      if (sink->endings() == 0) return;
      EXPECT_EQ(sink->body(), body);
      ++made;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(caller, std::ref(client_));
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(5ms);
    lose_link();
    link();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Resumption, ACallThatIsMadeMeanwhileIsReturned) {
  lose_link();
  (void)client_.call("echo", "later");
  ASSERT_TRUE(returns_.wait(1));
  EXPECT_EQ(returns_.call(0).event.noun, "echo");
  EXPECT_EQ(returns_.call(0).body, "later");
}

TEST_F(Resumption, SoIsOneWhoseBodyFollows) {
  lose_link();
  Event event;
  event.verb = "post";
  event.noun = "echo";
  event.request_id = "t";
  event.body_follows = true;
  const auto control =
      client_.target()->submit(Event(event), "", {}, std::make_shared<WaitingSink>());
  control->body_data("in ");
  control->body_data("pieces");
  control->body_end();
  ASSERT_TRUE(returns_.wait(1));
  EXPECT_TRUE(returns_.call(0).event.body_follows);
  EXPECT_TRUE(client_.at_home([&](Pipe&) { EXPECT_EQ(returns_.body_behind(), "in pieces."); }));
}

TEST_F(Resumption, OnlyARepeatableCallIsReturnedWhenItsSessionEnds) {
  const auto plain = client_.call("stall", "plain");
  Event event;
  event.verb = "post";
  event.noun = "stall";
  event.request_id = "t";
  event.headers = {{"idempotency-key", "k"}};
  const auto keyed = std::make_shared<WaitingSink>();
  (void)client_.target()->submit(std::move(event), "keyed", {}, keyed);
  ASSERT_TRUE(wait_stalled(2));
  client_.close(Errc::stopped);
  ASSERT_TRUE(plain->wait());
  EXPECT_EQ(plain->failed_with(), Errc::session_lost);
  ASSERT_TRUE(returns_.wait(1));
  EXPECT_EQ(returns_.count(), 1U);
  EXPECT_EQ(returns_.call(0).body, "keyed");
  EXPECT_EQ(keyed->endings(), 0);
  // The one that takes it may fail too; the caller is not told that nothing has run.
  returns_.call(0).sink->fail({Errc::peer_unavailable, "nobody came; the handler has not run"});
  EXPECT_EQ(keyed->failed_with(), Errc::session_lost);
  EXPECT_NE(keyed->failure()->detail.find("may have run"), std::string::npos);
}

class ShortReturn : public Resumption {
 protected:
  ShortReturn() : Resumption(options()) {}
  static Pipe::Options options() {
    Pipe::Options o;
    o.return_wait = 50ms;
    return o;
  }
};

TEST_F(ShortReturn, CallsToAPeerThatHungUpAreGivenUpAndTheSessionIsKept) {
  const auto sink = client_.call("stall");
  ASSERT_TRUE(wait_stalled(1));
  lose_link();
  ASSERT_TRUE(sink->wait());
  EXPECT_EQ(sink->failed_with(), Errc::session_lost);
  EXPECT_EQ(server_.handlers.cancelled, 0);
  link();
  const auto next = client_.call("echo", "again");
  ASSERT_TRUE(next->wait());
  EXPECT_EQ(next->body(), "again");
  EXPECT_EQ(server_.handlers.cancelled, 1) << "CANCEL came before the next call";
}

class ShortGrace : public Resumption {
 protected:
  ShortGrace() : Resumption(options()) {}
  static Pipe::Options options() {
    Pipe::Options o;
    o.session_grace = 100ms;
    o.return_wait = 60s;
    return o;
  }
};

TEST_F(ShortGrace, ASessionWithoutALinkEnds) {
  const auto sink = client_.call("stall");
  ASSERT_TRUE(wait_stalled(1));
  lose_link();
  EXPECT_EQ(client_.wait_end(), Errc::session_lost);
  EXPECT_EQ(server_.wait_end(), Errc::session_lost);
  ASSERT_TRUE(sink->wait());
  EXPECT_EQ(sink->failed_with(), Errc::session_lost);
  EXPECT_EQ(server_.handlers.cancelled, 1);
}

}  // namespace
}  // namespace rp::pipe
