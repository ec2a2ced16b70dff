#pragma once

#include <memory>

namespace rocksdb {
class Env;
class FileSystem;
}  // namespace rocksdb

namespace rp::queue {

/// The system as RocksDB sees it, with every file it makes for its owner alone (mode 0600), and
/// with no failed sync that looks like a full disk. It outlives the databases that use it.
std::unique_ptr<rocksdb::Env> make_private_files();
/// The same above another file system, for tests.
std::unique_ptr<rocksdb::Env> make_private_files(std::shared_ptr<rocksdb::FileSystem> below);

}  // namespace rp::queue
