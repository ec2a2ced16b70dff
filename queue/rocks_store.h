#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "queue/error.h"
#include "queue/store.h"

namespace rp::queue {

struct RocksOptions {
  /// Made with mode 0700 if it is not there; its parent must be. Files in it have mode 0600.
  std::string directory{};
  std::uint64_t block_cache_bytes = 32 * 1024 * 1024;  ///< index and filter blocks included
  /// Of each of at most three; less on a small disk.
  std::uint64_t write_buffer_bytes = 16 * 1024 * 1024;
};

/// A store in RocksDB, for one process at a time. Fails with `in_use`, `unusable` or `damaged`, in
/// one line that names the directory.
Result<std::unique_ptr<Store>> open_rocks_store(const RocksOptions& options);

}  // namespace rp::queue
