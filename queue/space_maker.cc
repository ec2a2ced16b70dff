#include "queue/space_maker.h"

#include <chrono>
#include <system_error>

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "pipe/log.h"

namespace rp::queue {
namespace {

// Between two merges; each reads and writes all that is there.
constexpr long long kPauseMs = 2'000;

long long now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

void SpaceMaker::start(rocksdb::DB& db, const std::vector<rocksdb::ColumnFamilyHandle*>& families) {
  if (busy_ || now_ms() - ended_ms_ < kPauseMs) return;
  if (thread_.joinable()) thread_.join();
  busy_ = true;
  stopping_ = false;
  const auto merge = [this, &db, families] {
    rocksdb::CompactRangeOptions options;
    options.canceled = &stopping_;
    options.exclusive_manual_compaction = false;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    for (auto* family : families) {
      if (stopping_) break;
      const auto status = db.CompactRange(options, family, nullptr, nullptr);
      if (status.ok() || stopping_) continue;
      log(LogLevel::warning, "queue", "no disk space could be made",
          {{"reason", status.ToString()}});
    }
    ended_ms_ = now_ms();
    busy_ = false;
  };
  try {
    thread_ = std::thread(merge);
  } catch (const std::system_error& failed) {
    // No thread is to be had now. Space can be made later, too.
    ended_ms_ = now_ms();
    busy_ = false;
    log(LogLevel::warning, "queue", "no disk space could be made", {{"reason", failed.what()}});
  }
}

void SpaceMaker::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace rp::queue
