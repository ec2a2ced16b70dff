#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "queue/error.h"

namespace rp::queue {

/// The directory of a store, held by this process alone, and the space around it.
///
/// A file of some megabytes is kept in reserve. When the disk is full it is given up, so that there
/// is room for the records of deletes, which make more room.
class DataDirectory {
 public:
  /// Makes the directory if its parent is there. Fails with `in_use` or `unusable`.
  static Result<std::unique_ptr<DataDirectory>> open(const std::string& path);
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t disk_bytes() const { return disk_bytes_; }
  /// Whether there is room to add: more free than kept in hand, and after a shortage some more
  /// than that, so that it does not change with every message.
  bool has_room();
  void give_up_reserve();
  /// Makes the names in it survive a loss of power.
  Status sync() const;

 private:
  DataDirectory(std::string path, int lock);
  std::uint64_t free_bytes() const;
  void keep_reserve();

  const std::string path_;
  const int lock_;
  std::uint64_t disk_bytes_ = 0;
  std::uint64_t in_hand_bytes_ = 0;
  bool short_ = false;
  bool reserve_kept_ = false;
};

}  // namespace rp::queue
