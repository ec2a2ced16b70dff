#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/rest/front_end.h"

namespace rp::rest::test {
namespace {

/// Threads that answer exchanges a moment later, so that answers race with clients that leave.
class LateAnswers {
 public:
  explicit LateAnswers(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~LateAnswers() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    more_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  void take(std::shared_ptr<Exchange> exchange) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(exchange));
    }
    more_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      more_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const auto exchange = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      answer(*exchange);
      lock.lock();
    }
  }

  /// The token of the request comes back, whole or as a stream.
  static void answer(Exchange& exchange) {
    const std::string token(exchange.request().header("x-token").value_or(""));
    if (token.size() % 2 == 0) return exchange.respond(ok(token));
    exchange.on_flushed([](std::size_t) {});
    exchange.begin({200, "", "text/plain", {}});
    for (const char c : token) exchange.write(std::string(1, c));
    exchange.end();
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::shared_ptr<Exchange>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

/// One client thread: asks, and half of the time leaves around the moment of the answer.
void run_client(const FrontEnd& front, unsigned seed, int rounds, std::atomic<int>& wrong,
                std::atomic<int>& right) {
  std::mt19937 random(seed);
  auto client = front.connect();
  for (int i = 0; i < rounds; ++i) {
    const std::string token = std::to_string(seed) + "-" + std::to_string(random());
    client.send(get("/token", "X-Token: " + token + "\r\n"));
    const auto dice = random() % 6;
    if (dice == 0) {
      client.reset();
    } else if (dice == 1) {
      client.close();
    } else if (dice == 2) {
      client.read_bytes(random() % 100);  // less than any answer
      client.close();
    } else {
      const auto answer = client.read_answer();
      (answer.status == 200 && answer.body == token ? right : wrong) += 1;
      continue;
    }
    client = front.connect();
  }
}

TEST(StressTest, EveryAnswerReachesItsOwnRequest) {
  constexpr unsigned kClients = 8;
  constexpr int kRounds = 400;
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::atomic<int> wrong{0};
  std::atomic<int> right{0};
  std::atomic<int> left{0};
  LateAnswers answers(2);
  FrontEnd front(
      [&](std::shared_ptr<Exchange> exchange) {
        exchange->on_disconnect([&] { ++left; });
        answers.take(std::move(exchange));
      },
      {}, 2);
  std::vector<std::thread> clients;
  for (unsigned i = 0; i < kClients; ++i)
    clients.emplace_back([&, i] { run_client(front, seed + i, kRounds, wrong, right); });
  for (auto& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(right, 0);
  EXPECT_TRUE(eventually([&] { return front.stats().connections_open == 0; }));
  EXPECT_EQ(front.stats().requests_in_flight, 0U);
  EXPECT_EQ(front.stats().body_bytes_buffered, 0U);
  EXPECT_LE(left.load(), static_cast<int>(front.stats().clients_left.load()));
}

TEST(StressTest, StopsWhileAnswersAreOnTheirWay) {
  for (int round = 0; round < 20; ++round) {
    LateAnswers answers(2);
    FrontEnd front([&](std::shared_ptr<Exchange> exchange) { answers.take(std::move(exchange)); });
    std::vector<RawClient> clients;
    for (int i = 0; i < 8; ++i) {
      clients.push_back(front.connect());
      clients.back().send(get("/token", "X-Token: 12\r\n"));
    }
    front.server().stop();
  }
}

}  // namespace
}  // namespace rp::rest::test
