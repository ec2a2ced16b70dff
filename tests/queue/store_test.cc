// The contract of a store, for both of them, and the pieces below it.
#include "queue/store.h"

#include <limits>
#include <random>
#include <set>

#include "queue/crc32c.h"
#include "queue/damage.h"
#include "queue/record.h"
#include "queue/window.h"
#include "tests/queue/test_engine.h"

namespace rp::queue {
namespace {

class StoreTest : public testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override { open(); }
  void open() {
    store_.reset();
    if (GetParam() == StoreKind::memory) {
      store_ = std::make_unique<MemoryStore>(map_);
    } else {
      store_ = std::move(open_rocks_store({.directory = directory_.path() + "/data"}).value());
    }
  }
  void put(const std::string& key, const std::string& value) {
    Batch batch;
    batch.put(key, value);
    ASSERT_TRUE(store_->write(batch, true));
  }
  std::string get(const std::string& key) { return store_->get(key).value().value_or("nothing"); }
  std::string keys_of(const Scanned& scanned) {
    std::string keys;
    for (const auto& entry : scanned.entries) keys += entry.key + ' ';
    return keys;
  }

  TempDirectory directory_;
  std::shared_ptr<MemoryStore::Map> map_ = std::make_shared<MemoryStore::Map>();
  std::unique_ptr<Store> store_;
};

TEST_P(StoreTest, AppliesTheChangesOfABatchInTheirOrder) {
  put("ca", "old");
  Batch batch;
  batch.put("ca", "new");
  batch.put("cb", "1");
  batch.erase("cb");
  batch.put("cc", "2");
  batch.erase("nowhere");
  ASSERT_TRUE(store_->write(batch, false));
  ASSERT_TRUE(store_->sync());
  open();
  EXPECT_EQ(get("ca"), "new");
  EXPECT_EQ(get("cb"), "nothing");
  EXPECT_EQ(get("cc"), "2");
}

TEST_P(StoreTest, KeepsEveryByteOfKeysAndValues) {
  const std::string key("c\0\xff", 3);
  const std::string value("\0x\0", 3);
  put(key, value);
  put("c", "");
  open();
  EXPECT_EQ(get(key), value);
  EXPECT_EQ(get("c"), "");
}

TEST_P(StoreTest, ScansARangeInOrderUpToItsBounds) {
  for (const auto* key : {"cd", "ca", "cc", "cb", "da"}) put(key, "12345");
  const auto all = store_->scan("ca", "d", 10, 1'000);
  EXPECT_EQ(keys_of(all), "ca cb cc cd ");
  EXPECT_TRUE(all.complete);
  EXPECT_EQ(all.damaged, 0u);
  const auto two = store_->scan("cb", "d", 2, 1'000);
  EXPECT_EQ(keys_of(two), "cb cc ");
  EXPECT_FALSE(two.complete);
  EXPECT_EQ(keys_of(store_->scan("ca", "d", 10, 6)), "ca cb ");
  EXPECT_EQ(keys_of(store_->scan("ca", "d", 10, 1)), "ca ");
  EXPECT_TRUE(store_->scan("cx", "d", 10, 1'000).complete);
}

TEST_P(StoreTest, ErasesARangeAndWritesIntoItAgain) {
  for (const auto table : {keys::Table::ready, keys::Table::body, keys::Table::id}) {
    const std::string letter(1, static_cast<char>(table));
    for (const auto* rest : {"a", "b", "c"}) put(letter + rest, "x");
    Batch batch;
    batch.erase_range(letter + "a", letter + "c");
    batch.put(letter + "b", "again");
    ASSERT_TRUE(store_->write(batch, true));
    EXPECT_EQ(get(letter + "a"), "nothing");
    EXPECT_EQ(get(letter + "b"), "again");
    EXPECT_EQ(get(letter + "c"), "x");
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreTest, testing::Values(StoreKind::memory, StoreKind::rocks),
                         store_name);

TEST(Crc32cTest, AgreesWithTheStandard) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);            // the check value of its definition
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);  // RFC 3720, B.4
  EXPECT_EQ(crc32c("456789", crc32c("123")), crc32c("123456789"));
}

TEST(KeysTest, SortAsTheirNumbersDo) {
  const auto place = [](std::int64_t priority, MessageId id) {
    return keys::ready(7, {priority, id});
  };
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::string> sorted = {place(kLeast, 9), place(-1, 8),  place(0, 1),
                                           place(0, 256),    place(1, 255), place(kMost, 1)};
  EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
  const auto range = keys::of_channel(keys::Table::ready, 7);
  EXPECT_LT(range.first, sorted.front());
  EXPECT_GT(range.last, sorted.back());
  EXPECT_EQ(keys::place_of_ready(place(-5, 3)), (keys::Place{-5, 3}));
  EXPECT_EQ(keys::due_of(keys::due(keys::Table::expiry, {-2, 3})), (keys::Due{-2, 3}));
  EXPECT_EQ(keys::id_at_end(keys::hidden(1, 44)), 44u);
  EXPECT_EQ(keys::id_of_id(keys::id(5)), 5u);
  EXPECT_FALSE(keys::place_of_ready("r"));
}

class RecordTest : public testing::Test {
 protected:
  Record record_{.state = MessageState::leased,
                 .shown_at_ms = 1'700'000'000'000,
                 .token = std::numeric_limits<std::uint64_t>::max(),
                 .delivered = 3,
                 .priority = std::numeric_limits<std::int64_t>::min(),
                 .received_at_ms = 1,
                 .expires_at_ms = 2,
                 .visibility_ms = 30'000,
                 .retention_ms = 4,
                 .deliveries_max = 5,
                 .body_bytes = 4,
                 .topic = "topic",
                 .content_type = "text/plain",
                 .body = "body",
                 .deaths = {{.channel = "home", .reason = DeathReason::rejected, .delivered = 2}}};
};

TEST_F(RecordTest, ComesBackAsItWasWritten) {
  const auto decoded = decode_record("key", encode("key", record_));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(encode("key", *decoded), encode("key", record_));
  EXPECT_EQ(decoded->priority, record_.priority);
  EXPECT_EQ(decoded->token, record_.token);
  EXPECT_EQ(decoded->body, "body");
  EXPECT_EQ(decoded->deaths.at(0).channel, "home");
}

TEST_F(RecordTest, IsRefusedWithAnyBitFlippedOrUnderAnotherKey) {
  const auto value = encode("key", record_);
  for (std::size_t bit = 0; bit < 8 * value.size(); ++bit) {
    auto damaged = value;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decode_record("key", damaged)) << "bit " << bit;
  }
  for (std::size_t size = 0; size < value.size(); ++size) {
    EXPECT_FALSE(decode_record("key", value.substr(0, size))) << "size " << size;
  }
  EXPECT_FALSE(decode_record("kez", value));
  EXPECT_FALSE(decode_record("key", value + '\0'));
}

TEST(LeaseTest, IsTextAndBack) {
  const Lease lease{42, 0xABCDEF};
  EXPECT_EQ(to_text(lease), "42-0000000000abcdef");
  EXPECT_EQ(lease_from_text(to_text(lease)), lease);
  for (const auto* text :
       {"", "-", "42", "42-", "42-abcdef", "0-0000000000abcdef", "42-0000000000000000",
        "42-0000000000abcdeg", "+2-0000000000abcdef", "99999999999999999999-0000000000abcdef"}) {
    EXPECT_FALSE(lease_from_text(text)) << text;
  }
}

TEST(WindowTest, HoldsTheFrontOfAnOrderWhateverComes) {
  std::mt19937_64 random(7);
  std::set<int> order;
  Window<int> window;
  for (int step = 0; step < 20'000; ++step) {
    const int key = static_cast<int>(random() % 200);
    if (random() % 2 == 0) {
      order.insert(key);
      window.add(key, "", 8);
    } else {
      order.erase(key);
      window.erase(key);
    }
    if (window.is_short()) {
      Window<int>::Map entries;
      std::optional<int> last;
      auto at = window.border() ? order.upper_bound(*window.border()) : order.begin();
      for (; at != order.end() && entries.size() < 4; ++at) {
        entries.emplace(*at, "");
        last = *at;
      }
      window.refill(std::move(entries), last, at == order.end());
    }
    ASSERT_LE(window.held().size(), 8u);
    if (order.empty()) {
      ASSERT_TRUE(window.held().empty());
    } else if (!window.held().empty()) {
      ASSERT_EQ(window.held().begin()->first, *order.begin()) << "step " << step;
    } else {
      ASSERT_FALSE(window.complete());
    }
  }
}

TEST(EndOfDamageTest, FindsTheFirstKeyThatCanBeReadAgain) {
  const auto range = keys::of_channel(keys::Table::ready, 3);
  const auto bad_from = keys::ready(3, {0, 1'000});
  for (const auto& end : {keys::ready(3, {0, 1'001}), keys::ready(3, {0, 1'064}),
                          keys::ready(3, {0, 900'000}), keys::ready(3, {5, 7}), range.last}) {
    const auto readable = [&](const std::string& key) { return key < bad_from || key >= end; };
    EXPECT_EQ(end_of_damage(bad_from, range.last, readable), end);
  }
  // Of two stretches the first is passed, not both.
  const auto readable = [&](const std::string& key) {
    return key >= keys::ready(3, {0, 1'100}) &&
           (key < keys::ready(3, {0, 5'000}) || key >= keys::ready(3, {0, 6'000}));
  };
  EXPECT_EQ(end_of_damage(bad_from, range.last, readable), keys::ready(3, {0, 1'100}));
}

}  // namespace
}  // namespace rp::queue
