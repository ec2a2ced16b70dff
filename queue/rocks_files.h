#pragma once

#include <memory>

namespace rocksdb {
class Env;
}

namespace rp::queue {

/// The system as RocksDB sees it, with every file it makes for its owner alone (mode 0600). It
/// outlives the databases that use it.
std::unique_ptr<rocksdb::Env> make_private_files();

}  // namespace rp::queue
