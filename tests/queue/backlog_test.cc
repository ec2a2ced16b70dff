// More messages than the engine holds in memory: order, and what the store is asked for.
#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "queue/keys.h"
#include "queue/message_table.h"
#include "tests/queue/test_engine.h"

namespace rp::queue {
namespace {

using namespace std::chrono_literals;

class BacklogTest : public BothStores {};

TEST_P(BacklogTest, KeepsItsOrderWhateverComesAndGoes) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::set<std::pair<std::int64_t, MessageId>> ready;
  std::map<MessageId, std::pair<std::int64_t, Lease>> leased;
  for (int step = 0; step < 250; ++step) {
    const bool fills = step < 120;
    if (fills ? random() % 2 == 0 : random() % 12 == 0) {
      std::vector<NewMessage> batch(1 + random() % 80, {.body = "x"});
      for (auto& message : batch) message.priority = static_cast<std::int64_t>(random() % 3) - 1;
      const auto done = engine_.put_batch("jobs", batch).value();
      for (std::size_t i = 0; i < batch.size(); ++i) ready.emplace(batch[i].priority, done[i].id);
    }
    const auto deliveries =
        engine_.take("jobs", {.count_max = 1 + random() % (fills ? 20 : 60), .lease = 1h});
    for (const auto& delivery : deliveries) {
      ASSERT_FALSE(ready.empty());
      ASSERT_EQ(delivery.message.id, ready.begin()->second) << "step " << step;
      leased[delivery.message.id] = {delivery.message.priority, delivery.lease};
      ready.erase(ready.begin());
    }
    if (!leased.empty() && random() % 2 == 0) {  // given back: ahead of what is held in memory
      const auto [id, held] = *leased.begin();
      ASSERT_TRUE(engine_.nack(held.second));
      ready.emplace(held.first, id);
      leased.erase(id);
    }
    if (ready.size() > 1 && random() % 2 == 0) {  // somewhere, in memory or not
      auto at = ready.begin();
      std::advance(at, random() % ready.size());
      ASSERT_TRUE(engine_.remove(at->second));
      ready.erase(at);
    }
    if (step % 60 == 59) engine_.reopen();
    ASSERT_EQ(engine_.stats("jobs").ready, ready.size());
  }
  while (!ready.empty()) {
    const auto deliveries = engine_.take("jobs", {.count_max = 500, .lease = 1h});
    ASSERT_FALSE(deliveries.empty());
    for (const auto& delivery : deliveries) {
      ASSERT_EQ(delivery.message.id, ready.begin()->second);
      ready.erase(ready.begin());
    }
  }
  EXPECT_TRUE(engine_.take("jobs").empty());
}

INSTANTIATE_TEST_SUITE_P(Stores, BacklogTest, testing::Values(StoreKind::memory, StoreKind::rocks),
                         store_name);

/// Tells where each reading of the order of delivery begins, before it is read.
class WatchedStore final : public Store {
 public:
  using Watch = std::function<void(std::string_view)>;
  explicit WatchedStore(Watch watch) : watch_(std::move(watch)) {}

  Status write(const Batch& batch, bool sync) override { return below_.write(batch, sync); }
  Status sync() override { return below_.sync(); }
  Result<std::optional<std::string>> get(std::string_view key) override { return below_.get(key); }
  Scanned scan(std::string_view first, std::string_view last, std::size_t entries_max,
               std::size_t bytes_max) override {
    if (first.front() == static_cast<char>(keys::Table::ready)) watch_(first);
    return below_.scan(first, last, entries_max, bytes_max);
  }
  bool has_room() override { return true; }
  Status recover() override { return {}; }
  std::uint64_t bytes() override { return 0; }

 private:
  const Watch watch_;
  MemoryStore below_;
};

// The front of the order is where the tombstones of what was taken are: nobody may walk over them.
TEST(RefillTest, NeverReadsWhatWasTakenAgain) {
  std::vector<std::string> firsts;
  TestEngine engine(StoreKind::memory);
  engine.use_store([&] {
    return std::make_unique<WatchedStore>(
        [&](std::string_view first) { firsts.emplace_back(first); });
  });
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine.put_batch("jobs", std::vector<NewMessage>(1'000, {.body = "x"})));
  }
  MessageId taken = 0;
  std::size_t scans = 0;
  for (;;) {
    const auto deliveries = engine.take("jobs");
    for (; scans < firsts.size(); ++scans) {
      // Behind the last message that was taken before this scan, at the earliest.
      EXPECT_GT(firsts[scans], keys::ready(1, {0, taken})) << "scan " << scans;
    }
    if (deliveries.empty()) break;
    EXPECT_EQ(deliveries[0].message.id, ++taken);
    ASSERT_TRUE(engine.ack(deliveries[0].lease));
  }
  EXPECT_EQ(taken, 3'000u);
  EXPECT_GT(scans, 3'000u / 256);
}

// Many channels hold less of their fronts each.
TEST(ReadyWindowTest, StaysBoundedOverAllChannels) {
  MemoryStore store;
  ChannelTable channels;
  Ledger ledger(store, [](Batch&) {});
  MessageTable messages(ledger, channels);
  std::size_t held = 0;
  for (int i = 0; i < 2'000; ++i) {
    auto& channel = channels.make(std::to_string(i));
    for (int k = 0; k < 64; ++k) {
      messages.add(channel, messages.next_id(), {.body_bytes = 1, .body = "x"}, "x");
    }
    ledger.settle();
    held += channel.ready.held().size();
  }
  EXPECT_LT(held, 100'000u);
  auto& last = *channels.find("1999");
  for (MessageId id = 1'999 * 64 + 1; id <= 2'000 * 64; ++id) {
    const auto first = messages.first_ready(last);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->card.id, id);
    messages.erase(first->card);
  }
  EXPECT_FALSE(messages.first_ready(last));
}

// A lease that ends while a listing is made moves its message from behind to the front, which the
// listing has passed by then.
TEST(ListingTest, SeesOneMomentWhateverMovesMeanwhile) {
  TestEngine engine(StoreKind::memory);
  std::atomic<bool> listing{false};
  engine.use_store([&] {
    return std::make_unique<WatchedStore>([&](std::string_view) {
      if (listing) engine.clock.advance(1h);
    });
  });
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine.put_batch("jobs", std::vector<NewMessage>(1'000, {.body = "x"})));
  }
  ASSERT_EQ(engine.take("jobs", {.count_max = 1'000, .lease = 1h}).size(), 1'000u);
  listing = true;
  const auto listed = engine.list("jobs", 0, Engine::kListMax);
  listing = false;
  std::set<MessageId> ids;
  for (const auto& message : listed) ids.insert(message.message.id);
  EXPECT_EQ(listed.size(), 3'000u);
  EXPECT_EQ(ids.size(), 3'000u);
}

}  // namespace
}  // namespace rp::queue
