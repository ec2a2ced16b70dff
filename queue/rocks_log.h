#pragma once

#include <memory>

namespace rocksdb {
class Logger;
}

namespace rp::queue {

/// RocksDB's warnings and errors as lines of our log. What is less is left out.
std::shared_ptr<rocksdb::Logger> make_rocks_log();

}  // namespace rp::queue
