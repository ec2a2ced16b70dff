#include "queue/rocks_store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>
#include <unistd.h>

#include "queue/damage.h"
#include "queue/data_directory.h"
#include "queue/keys.h"
#include "queue/rocks_files.h"
#include "queue/rocks_log.h"
#include "queue/space_maker.h"

namespace rp::queue {
namespace {

constexpr std::uint64_t kWriteBufferMin = 1024 * 1024;
constexpr std::uint64_t kWriteBufferPart = 64;  // of the disk
constexpr int kTablesOpenMax = 256;             // each costs a descriptor and a little memory
constexpr double kBloomBits = 10;               // one lookup of 100 reads a block in vain
// Files in which deletes prevail are merged soon: 5,000 of any 10,000 entries in a row.
constexpr std::size_t kDeletesWindow = 10'000;
constexpr std::size_t kDeletesMax = 5'000;
rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

/// Tables that grow at their ends have families of their own, whose files then do not overlap and
/// go down the levels without being written again.
constexpr std::array<const char*, 3> kFamilies = {"default", "messages", "ids"};

std::size_t family_of(std::string_view key) {
  switch (static_cast<keys::Table>(key.empty() ? '\0' : key.front())) {
    case keys::Table::ready:
    case keys::Table::body:
      return 1;
    case keys::Table::id:
      return 2;
    default:
      return 0;
  }
}

/// The table of a key, for inserts that go on where the last one of the table was. The start of a
/// range is no key of a table: RocksDB keeps ranges apart and must not mix up the two places.
class TableOfKey final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "rp.TableOfKey"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return {key.data(), 1}; }
  bool InDomain(const rocksdb::Slice& key) const override {
    return !key.empty() && key.size() == keys::size_of(static_cast<keys::Table>(key[0]));
  }
};

/// A write that waits for a merge comes back as "incomplete" when the merge has found no space,
/// with that as a text; nothing of it has been written then either.
bool is_for_space(const rocksdb::Status& status) {
  return status.IsNoSpace() ||
         (status.IsIncomplete() && status.ToString().find("No space") != std::string::npos);
}

Error not_open() {
  return {.code = Errc::disk_full,
          .detail = "the message store has no room to be opened; it is tried again"};
}

/// Syncs the logs that a database will read when it is opened.
rocksdb::Status sync_logs(const std::string& directory) {
  std::error_code failed;
  std::filesystem::directory_iterator at(directory, failed);
  for (; !failed && at != std::filesystem::directory_iterator(); at.increment(failed)) {
    const auto path = at->path();
    if (path.extension() != ".log") continue;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const bool synced = file >= 0 && fdatasync(file) == 0;
    const int code = errno;
    if (file >= 0) ::close(file);
    if (!synced) {
      return rocksdb::Status::IOError("syncing " + path.string(),
                                      std::generic_category().message(code));
    }
  }
  return failed ? rocksdb::Status::IOError("looking for logs", failed.message())
                : rocksdb::Status::OK();
}

rocksdb::Options options_for(const RocksOptions& wanted, std::uint64_t disk_bytes) {
  const auto write_buffer = disk_bytes == 0
                                ? wanted.write_buffer_bytes
                                : std::clamp(disk_bytes / kWriteBufferPart, kWriteBufferMin,
                                             std::max(wanted.write_buffer_bytes, kWriteBufferMin));
  rocksdb::Options options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.info_log = make_rocks_log();
  // After a loss of power the unsynced end of the log may have holes: all before the first is kept.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.write_buffer_size = write_buffer;
  options.max_write_buffer_number = 3;
  options.db_write_buffer_size = 3 * write_buffer;  // of all families together
  options.allow_concurrent_memtable_write = false;  // one thread writes
  options.enable_write_thread_adaptive_yield = false;
  // Each table grows at its end, so inserts go on where the last one of the table was.
  options.memtable_insert_with_hint_prefix_extractor = std::make_shared<TableOfKey>();
  options.max_total_wal_size = 4 * write_buffer;
  options.target_file_size_base = write_buffer;
  options.max_bytes_for_level_base = 4 * write_buffer;
  options.max_compaction_bytes = 8 * write_buffer;
  options.max_background_jobs = 2;
  options.max_open_files = kTablesOpenMax;
  options.max_bgerror_resume_count = 0;  // recover() decides
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.compression = rocksdb::kLZ4Compression;
  // A burst may run ahead of the merging for a while: 32 buffers of it instead of 20.
  options.level0_slowdown_writes_trigger = 32;
  options.level0_stop_writes_trigger = 64;
  options.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(kDeletesWindow, kDeletesMax));
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(wanted.block_cache_bytes);
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBits));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class RocksStore final : public Store {
 public:
  RocksStore(std::unique_ptr<DataDirectory> directory, rocksdb::Options options)
      : directory_(std::move(directory)), options_(std::move(options)) {
    options_.env = files_.get();
  }
  ~RocksStore() override { close(); }

  Status open();

  Status write(const Batch& batch, bool sync) override;
  Status sync() override;
  Result<std::optional<std::string>> get(std::string_view key) override;
  Scanned scan(std::string_view first, std::string_view last, std::size_t entries_max,
               std::size_t bytes_max) override;
  bool has_room() override;
  Status recover() override;
  std::uint64_t bytes() override;

 private:
  rocksdb::Status open_writable();
  rocksdb::Status try_open();
  std::vector<rocksdb::ColumnFamilyDescriptor> families() const;
  std::string path() const { return directory_->path() + "/messages"; }
  Error broken(const rocksdb::Status& status) const;
  rocksdb::ColumnFamilyHandle* family(std::string_view key) const {
    return families_[family_of(key)];
  }
  void close();

  const std::unique_ptr<DataDirectory> directory_;
  const std::unique_ptr<rocksdb::Env> files_ = make_private_files();
  rocksdb::Options options_;
  std::unique_ptr<rocksdb::DB> db_;
  bool writable_ = false;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  // in the order of kFamilies, owned by db_
  SpaceMaker space_maker_;                              // ends before db_ does
};

std::vector<rocksdb::ColumnFamilyDescriptor> RocksStore::families() const {
  std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
  for (const auto* name : kFamilies) wanted.emplace_back(name, options_);
  return wanted;
}

Status RocksStore::open() {
  // Made here, because RocksDB logs an error when it has to do it. What else fails, it tells.
  if (mkdir(path().c_str(), 0700) == 0) {
    if (auto status = directory_->sync(); !status) return status;
  }
  const auto status = open_writable();
  if (status.ok()) return {};
  const auto reason = status.ToString();
  if (status.IsCorruption()) {
    return Error{.code = Errc::damaged,
                 .detail = "the message store in " + path() + " is damaged: " + reason};
  }
  return Error{.code = is_for_space(status) ? Errc::disk_full : Errc::unusable,
               .detail = "the message store in " + path() + " cannot be opened: " + reason};
}

rocksdb::Status RocksStore::open_writable() {
  // The end of the log may be known to the system alone: a killed process had no time to sync it,
  // and after a sync that failed nothing else proves it either. What is read from it is therefore
  // written anew, synced, before anybody can build on it.
  options_.avoid_flush_during_recovery = !directory_->has_room();
  if (!options_.avoid_flush_during_recovery) {
    const auto status = try_open();
    if (!is_for_space(status)) return status;
    options_.avoid_flush_during_recovery = true;
  }
  // A sync of the log is the next best, and needs no room.
  const auto status = sync_logs(path());
  return status.ok() ? try_open() : status;
}

rocksdb::Status RocksStore::try_open() {
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(options_, path(), families(), &families_, &db);
  if (status.ok()) db_.reset(db);
  writable_ = status.ok();
  return status;
}

Error RocksStore::broken(const rocksdb::Status& status) const {
  const auto reason = status.ToString();
  if (is_for_space(status)) {
    return {.code = Errc::disk_full, .detail = "the disk of the message store is full: " + reason};
  }
  return {
      .code = Errc::read_only,
      .detail = "a write of the message store failed; it is read-only until a restart: " + reason};
}

Status RocksStore::write(const Batch& batch, bool sync) {
  if (!writable_) return not_open();
  // 16 bytes for each change: its kind and two lengths.
  rocksdb::WriteBatch changes(batch.bytes() + 16 * batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto change = batch[i];
    switch (change.kind) {
      case Batch::Kind::put:
        changes.Put(family(change.key), slice(change.key), slice(change.value));
        break;
      case Batch::Kind::erase:
        changes.Delete(family(change.key), slice(change.key));
        break;
      case Batch::Kind::erase_range:
        changes.DeleteRange(family(change.key), slice(change.key), slice(change.value));
    }
  }
  rocksdb::WriteOptions options;
  options.sync = sync;
  const auto status = db_->Write(options, &changes);
  if (!status.ok()) return broken(status);
  return {};
}

Status RocksStore::sync() {
  if (!writable_) return not_open();
  const auto status = db_->SyncWAL();
  if (!status.ok()) return broken(status);
  return {};
}

Result<std::optional<std::string>> RocksStore::get(std::string_view key) {
  if (!db_) return Error{.code = Errc::unreadable, .detail = "the message store is not open"};
  std::string value;
  const auto status = db_->Get({}, family(key), slice(key), &value);
  if (status.ok()) return std::optional(std::move(value));
  if (status.IsNotFound()) return std::optional<std::string>();
  return Error{.code = status.IsCorruption() ? Errc::damaged : Errc::unreadable,
               .detail = "the message store: " + status.ToString()};
}

Scanned RocksStore::scan(std::string_view first, std::string_view last, std::size_t entries_max,
                         std::size_t bytes_max) {
  Scanned scanned;
  if (!db_) return scanned;
  const auto end = slice(last);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options, family(first)));
  std::size_t bytes = 0;
  std::string next(first);
  const auto readable = [&](const std::string& key) {
    at->Seek(slice(key));
    return at->status().ok();
  };
  at->Seek(slice(next));
  while (at->Valid() || !at->status().ok()) {
    if (!at->Valid()) {
      ++(at->status().IsCorruption() ? scanned.damaged : scanned.unreadable);
      next = end_of_damage(next, last, readable);
      if (next >= last) break;
      at->Seek(slice(next));
      continue;
    }
    if (scanned.entries.size() >= entries_max || bytes >= bytes_max) return scanned;
    scanned.entries.push_back({std::string(view(at->key())), std::string(view(at->value()))});
    bytes += scanned.entries.back().value.size();
    next = scanned.entries.back().key;
    at->Next();
  }
  scanned.complete = true;
  return scanned;
}

bool RocksStore::has_room() {
  const bool room = directory_->has_room();
  if (!room && writable_) space_maker_.start(*db_, families_);
  return room;
}

Status RocksStore::recover() {
  directory_->give_up_reserve();
  // A database that failed once may have half a record at the end of its log. Opening it anew keeps
  // what is whole, and everything that was reported is.
  close();
  const auto status = open_writable();
  if (status.ok()) return {};
  rocksdb::DB* db = nullptr;
  // Until there is room for the few files that an open database needs, messages can be read.
  if (rocksdb::DB::OpenForReadOnly(options_, path(), families(), &families_, &db).ok()) {
    db_.reset(db);
  }
  return broken(status);
}

void RocksStore::close() {
  writable_ = false;
  space_maker_.stop();
  for (auto* handle : std::exchange(families_, {})) db_->DestroyColumnFamilyHandle(handle);
  db_.reset();
}

std::uint64_t RocksStore::bytes() {
  if (!db_) return 0;
  std::uint64_t tables = 0;
  std::uint64_t buffers = 0;
  db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &tables);
  db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &buffers);
  return tables + buffers;
}

}  // namespace

Result<std::unique_ptr<Store>> open_rocks_store(const RocksOptions& options) {
  auto directory = DataDirectory::open(options.directory);
  if (!directory) return directory.error();
  const auto disk_bytes = (*directory)->disk_bytes();
  auto store =
      std::make_unique<RocksStore>(std::move(*directory), options_for(options, disk_bytes));
  if (auto status = store->open(); !status) return status.error();
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace rp::queue
