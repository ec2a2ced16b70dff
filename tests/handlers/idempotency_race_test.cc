#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "handlers/dispatcher.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {
namespace {

using pipe::Errc;

TEST(IdempotencyRaceTest, EachKeyRunsOnceHoweverManyRepeatItAndLeave) {
  constexpr int kThreads = 4;
  constexpr int kKeys = 200;
  Dispatcher dispatcher({.workers = 4, .queued_max = 10'000});
  std::vector<std::atomic<int>> runs(kKeys);
  dispatcher.add("post", "run", Flags::blocking,
                 [&](const Invocation& asked, Responder& responder) {
                   ++runs[static_cast<std::size_t>(std::stoi(std::string(asked.args[0])))];
                   std::this_thread::yield();
                   responder.reply({}, std::string(asked.args[0]));
                 });

  const auto repeat = [&](int thread) {
    for (int key = 0; key < kKeys; ++key) {
      auto event = make_event("post", "run//" + std::to_string(key));
      event.headers = {{"idempotency-key", "k" + std::to_string(key)}};
      const auto asked = ask(dispatcher, std::move(event));
      if ((thread + key) % 3 == 0) {
        asked.control->cancel();
        continue;
      }
      ASSERT_TRUE(asked->wait_done());
      if (asked->failure()) {
        EXPECT_EQ(asked->error(), Errc::key_in_use);
      } else {
        EXPECT_EQ(asked->body(), std::to_string(key));
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(repeat, i);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(dispatcher.stop(kPatience), 0U);
  for (int key = 0; key < kKeys; ++key) EXPECT_EQ(runs[static_cast<std::size_t>(key)], 1) << key;
}

}  // namespace
}  // namespace rp::handlers
