#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "queue/error.h"
#include "queue/store.h"

namespace rp::queue {

struct RocksOptions {
  std::string directory{};  ///< made with mode 0700 if it is not there; its parent must be
  std::uint64_t block_cache_bytes = 32 * 1024 * 1024;
  std::uint64_t write_buffer_bytes = 16 * 1024 * 1024;  ///< of each of at most three
};

/// A store in RocksDB. Fails with `in_use`, `unusable` or `damaged`, in one clear line.
Result<std::unique_ptr<Store>> open_rocks_store(const RocksOptions& options);

}  // namespace rp::queue
