// What is left after a loss of power: the bytes of each file that were synced, and no others.
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "queue/rocks_files.h"
#include "tests/queue/test_engine.h"

namespace rp::queue {
namespace {

namespace fs = std::filesystem;

class DurabilityTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.path() + '/' + name; }
  std::unique_ptr<Store> open(const std::string& name) {
    return std::move(open_rocks_store({.directory = path(name)}).value());
  }
  static void put(Store& store, const std::string& key, bool sync) {
    Batch batch;
    batch.put(key, "x");
    ASSERT_TRUE(store.write(batch, sync));
  }
  static bool has(Store& store, const std::string& key) {
    return store.get(key).value().has_value();
  }
  void copy(const std::string& from, const std::string& to) {
    fs::copy(path(from), path(to), fs::copy_options::recursive);
  }
  std::map<std::string, std::uintmax_t> log_sizes(const std::string& name) {
    std::map<std::string, std::uintmax_t> sizes;
    for (const auto& entry : fs::directory_iterator(path(name) + "/messages")) {
      if (entry.path().extension() == ".log") sizes[entry.path().filename()] = entry.file_size();
    }
    return sizes;
  }

  TempDirectory directory_;
};

// A killed process leaves an end of its log that only the system has. What its successor syncs must
// not depend on that.
TEST_F(DurabilityTest, OfASuccessorDoesNotRestOnWhatAKilledProcessDidNotSync) {
  auto first = open("first");
  put(*first, "ca", true);
  const auto synced = log_sizes("first");
  ASSERT_FALSE(synced.empty());
  put(*first, "cb", false);
  copy("first", "killed");
  auto successor = open("killed");
  ASSERT_TRUE(has(*successor, "cb"));
  put(*successor, "cc", true);
  copy("killed", "cut");
  for (const auto& [log, size] : synced) {
    const auto file = path("cut") + "/messages/" + log;
    if (fs::exists(file)) fs::resize_file(file, size);
  }
  auto after = open("cut");
  EXPECT_TRUE(has(*after, "ca"));
  EXPECT_TRUE(has(*after, "cb"));  // somebody may have seen it
  EXPECT_TRUE(has(*after, "cc"));
}

/// A file system that finds no space when it has to sync.
class FullAtSync final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "rp.FullAtSync"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* context) override {
    auto status = target()->NewWritableFile(path, options, file, context);
    if (status.ok()) *file = std::make_unique<File>(std::move(*file));
    return status;
  }

 private:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& /*options*/,
                           rocksdb::IODebugContext* /*context*/) override {
      return rocksdb::IOStatus::NoSpace("no space left on device");
    }
  };
};

// A write without space has written nothing and is tried again; after such a sync nobody knows.
TEST_F(DurabilityTest, TakesNoFailedSyncForAFullDisk) {
  const auto files =
      make_private_files(std::make_shared<FullAtSync>(rocksdb::FileSystem::Default()));
  std::unique_ptr<rocksdb::WritableFile> file;
  ASSERT_TRUE(files->NewWritableFile(path("file"), &file, {}).ok());
  ASSERT_TRUE(file->Append("x").ok());
  const auto status = file->Sync();
  EXPECT_TRUE(status.IsIOError());
  EXPECT_FALSE(status.IsNoSpace());
  EXPECT_NE(status.ToString().find("no space left"), std::string::npos);
}

}  // namespace
}  // namespace rp::queue
