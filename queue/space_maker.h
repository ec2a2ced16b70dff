#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
}  // namespace rocksdb

namespace rp::queue {

/// Merges the files of a database in a thread of its own, which frees the space of what was
/// deleted. For times when the disk is short of it.
class SpaceMaker {
 public:
  SpaceMaker() = default;
  ~SpaceMaker() { stop(); }
  SpaceMaker(const SpaceMaker&) = delete;
  SpaceMaker& operator=(const SpaceMaker&) = delete;

  /// Starts a merge unless one is going on or has just ended. The database outlives stop().
  void start(rocksdb::DB& db, const std::vector<rocksdb::ColumnFamilyHandle*>& families);
  /// Breaks off and waits for the end.
  void stop();

 private:
  std::atomic<bool> busy_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<long long> ended_ms_{0};  // on the monotonic clock
  std::thread thread_;
};

}  // namespace rp::queue
