// What only a store on a disk can meet: other processes, foreign formats, flipped bits.
#include "queue/rocks_store.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>

#include <unistd.h>

#include "queue/data_directory.h"
#include "queue/record.h"
#include "tests/queue/test_engine.h"

namespace rp::queue {
namespace {

namespace fs = std::filesystem;

class RocksStoreTest : public testing::Test {
 protected:
  std::string data() const { return directory_.path() + "/data"; }
  Result<std::unique_ptr<Store>> open() { return open_rocks_store({.directory = data()}); }
  Result<std::unique_ptr<Engine>> open_engine() {
    auto store = open();
    if (!store) return store.error();
    return Engine::open(std::move(*store), {}, clock_);
  }
  static std::string detail(const Error& error) {
    return std::string(name(error.code)) + ": " + error.detail;
  }

  TempDirectory directory_;
  ManualClock clock_;
};

TEST_F(RocksStoreTest, KeepsItsFilesFromOtherUsers) {
  umask(0);
  {
    auto store = open();
    ASSERT_TRUE(store);
    Batch batch;
    batch.put("ca", "x");
    ASSERT_TRUE((*store)->write(batch, true));
  }
  umask(022);
  struct stat status {};
  ASSERT_EQ(stat(data().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(data())) {
    ASSERT_EQ(stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, entry.is_directory() ? 0700u : 0600u) << entry.path();
    ++files;
  }
  EXPECT_GT(files, 4u);
}

TEST_F(RocksStoreTest, RefusesADirectoryThatIsInUse) {
  const auto first = open();
  ASSERT_TRUE(first);
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(detail(second.error()),
            "in_use: the data directory " + data() + " is in use by another process");
}

TEST_F(RocksStoreTest, RefusesADirectoryThatAnotherProcessHolds) {
  int ready[2] = {};
  ASSERT_EQ(pipe(ready), 0);
  const auto child = fork();
  if (child == 0) {
    // A forked process has no threads, so it takes the directory and leaves the database alone.
    const auto held = DataDirectory::open(data());
    const char byte = held ? 'y' : 'n';
    if (write(ready[1], &byte, 1) != 1) _exit(2);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  const auto refused = open();
  EXPECT_TRUE(!refused && refused.error().code == Errc::in_use);
  // A process that is killed leaves nothing that would keep its successor out.
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(open());
  close(ready[0]);
  close(ready[1]);
}

TEST_F(RocksStoreTest, SaysWhyADirectoryCannotBeUsed) {
  const auto nowhere = open_rocks_store({.directory = directory_.path() + "/no/data"});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, Errc::unusable);
  EXPECT_NE(nowhere.error().detail.find("No such file or directory"), std::string::npos);
  std::ofstream(directory_.path() + "/file") << "x";
  const auto file = open_rocks_store({.directory = directory_.path() + "/file"});
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().detail.find("Not a directory"), std::string::npos);
}

TEST_F(RocksStoreTest, RefusesANewerFormat) {
  ASSERT_TRUE(open_engine());
  {
    auto store = open();
    Batch batch;
    const auto key = keys::meta("format");
    batch.put(key, encode_number(key, 2));
    ASSERT_TRUE((*store)->write(batch, true));
  }
  const auto engine = open_engine();
  ASSERT_FALSE(engine);
  EXPECT_EQ(detail(engine.error()),
            "unsupported: the store has format 2, and this version reads formats up to 1");
}

TEST_F(RocksStoreTest, RefusesADamagedRecordOfAChannelAndNamesIt) {
  {
    auto engine = open_engine();
    ASSERT_TRUE(TestEngine::await<Engine::PutDone>(
        [&](auto completion) { (*engine)->put("jobs", {.body = "x"}, std::move(completion)); }));
  }
  {
    auto store = open();
    Batch batch;
    batch.put(keys::channel("jobs"), "nonsense");
    ASSERT_TRUE((*store)->write(batch, true));
  }
  const auto engine = open_engine();
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, Errc::damaged);
  EXPECT_NE(engine.error().detail.find("channel 'jobs'"), std::string::npos);
}

class DamagedRecordTest : public BothStores {};

TEST_P(DamagedRecordTest, IsPutAwayReportedAndNeverServed) {
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(engine_.put("jobs", {.body = i == 3 ? std::string(3'000, 'x') : "xxxx"}));
  }
  ASSERT_EQ(engine_.take("jobs").size(), 1u);
  engine_.close();
  engine_.change_store([](Store& store) {
    Batch batch;
    for (const auto& key : {keys::hidden(1, 1), keys::ready(1, {0, 2}), keys::body(1, 4)}) {
      auto value = store.get(key).value().value();
      value[value.size() / 2] = static_cast<char>(value[value.size() / 2] ^ 1);
      batch.put(key, value);
    }
    ASSERT_TRUE(store.write(batch, true));
  });
  engine_.open();
  const auto deliveries = engine_.take("jobs", {.count_max = 10});
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(deliveries[0].message.id, 3u);
  EXPECT_EQ(engine_.remove(1).error().code, Errc::unknown_message);
  EXPECT_EQ(engine_.stats("jobs").messages(), 1u);
  EXPECT_EQ(engine_.stats("jobs").body_bytes, 4u);
  EXPECT_EQ(engine_.stats().counters.damaged, 3u);
  EXPECT_EQ(engine_->health().damaged, 3u);
  EXPECT_EQ(engine_->health().mode, EngineHealth::Mode::working);
  engine_.close();
  engine_.change_store([](Store& store) {
    const auto range = keys::all(keys::Table::quarantine);
    EXPECT_EQ(store.scan(range.first, range.last, 10, 100'000).entries.size(), 3u);
  });
  engine_.open();
  EXPECT_EQ(engine_.stats("jobs").messages(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Stores, DamagedRecordTest,
                         testing::Values(StoreKind::memory, StoreKind::rocks), store_name);

/// Flips a bit of a file of the database.
void flip(const fs::path& path, std::uint64_t bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto at = static_cast<std::streamoff>(bit / 8);
  char byte = 0;
  file.seekg(at);
  file.get(byte);
  file.seekp(at);
  file.put(static_cast<char>(byte ^ (1 << (bit % 8))));
}

// Whichever bit of whichever file is flipped: either the store is refused, or what it serves is
// what was put, at most once.
TEST_F(RocksStoreTest, NeverServesFlippedBits) {
  constexpr int kMessages = 200;
  {
    auto engine = open_engine();
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(TestEngine::await<Engine::PutDone>([&](auto completion) {
        (*engine)->put("jobs", {.body = "body " + std::to_string(i + 1)}, std::move(completion));
      }));
    }
  }
  const auto copy = directory_.path() + "/copy";
  fs::copy(data(), copy, fs::copy_options::recursive);
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(data())) {
    if (entry.is_regular_file() && entry.file_size() > 0) files.push_back(entry.path());
  }
  ASSERT_GT(files.size(), 3u);
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  int refused = 0;
  int lost = 0;
  for (int round = 0; round < 40; ++round) {
    fs::remove_all(data());
    fs::copy(copy, data(), fs::copy_options::recursive);
    const auto& file = files[static_cast<std::size_t>(round) % files.size()];
    flip(file, random() % (8 * fs::file_size(file)));
    auto engine = open_engine();
    if (!engine) {
      ++refused;
      EXPECT_FALSE(engine.error().detail.empty());
      continue;
    }
    const auto deliveries = TestEngine::await<std::vector<Delivery>>([&](auto completion) {
      (*engine)->take("jobs", {.count_max = kMessages}, std::move(completion));
    });
    if (!deliveries) continue;  // a store that turned read-only serves nothing
    std::set<MessageId> seen;
    for (const auto& delivery : *deliveries) {
      EXPECT_TRUE(seen.insert(delivery.message.id).second);
      EXPECT_EQ(delivery.message.body, "body " + std::to_string(delivery.message.id));
    }
    lost += seen.size() < kMessages ? 1 : 0;
  }
  RecordProperty("refused", refused);
  RecordProperty("lost", lost);
  EXPECT_GT(refused + lost, 0) << "no flip has hit anything";
}

// The same for messages that have left the log for the files of the tables: what a flip makes
// unreadable is missing, and reported, and everything before and behind it is served in its order.
TEST_F(RocksStoreTest, ServesWhatLiesAroundADamagedBlock) {
  constexpr MessageId kMessages = 3'000;
  const RocksOptions options{.directory = data(), .write_buffer_bytes = 1};  // the least there is
  const auto body_of = [](MessageId id) {
    std::string body = std::to_string(id) + ':';
    std::mt19937_64 noise(id);
    while (body.size() < 900) body += static_cast<char>(noise());
    return body;
  };
  const auto open_small = [&] {
    return Engine::open(std::move(open_rocks_store(options).value()), {}, clock_);
  };
  {
    auto engine = std::move(open_small().value());
    for (MessageId id = 1; id <= kMessages; id += 100) {
      std::vector<NewMessage> batch;
      for (MessageId i = id; i < id + 100; ++i) batch.push_back({.body = body_of(i)});
      ASSERT_TRUE(TestEngine::await<std::vector<Engine::PutDone>>([&](auto completion) {
        engine->put_batch("jobs", std::move(batch), std::move(completion));
      }));
    }
  }
  fs::path largest;
  for (const auto& entry : fs::recursive_directory_iterator(data())) {
    if (entry.path().extension() != ".sst") continue;
    if (largest.empty() || entry.file_size() > fs::file_size(largest)) largest = entry.path();
  }
  ASSERT_FALSE(largest.empty()) << "no table has been written";
  flip(largest, 8 * fs::file_size(largest) / 2);
  auto opened = open_small();
  ASSERT_TRUE(opened) << opened.error().detail;
  auto engine = std::move(*opened);
  std::vector<MessageId> served;
  for (;;) {
    const auto deliveries = TestEngine::await<std::vector<Delivery>>(
        [&](auto completion) { engine->take("jobs", {.count_max = 100}, std::move(completion)); });
    ASSERT_TRUE(deliveries) << deliveries.error().detail;
    if (deliveries->empty()) break;
    for (const auto& delivery : *deliveries) {
      EXPECT_EQ(delivery.message.body, body_of(delivery.message.id));
      served.push_back(delivery.message.id);
    }
  }
  EXPECT_TRUE(std::is_sorted(served.begin(), served.end()));
  EXPECT_EQ(std::adjacent_find(served.begin(), served.end()), served.end());
  EXPECT_LT(served.size(), kMessages);
  EXPECT_GT(served.size(), kMessages - 20) << "one block has a handful of messages";
  EXPECT_GT(engine->health().damaged, 0u);
}

}  // namespace
}  // namespace rp::queue
