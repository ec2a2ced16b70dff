#include "queue/rocks_files.h"

#include <cerrno>
#include <string>
#include <sys/stat.h>
#include <system_error>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace rp::queue {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSRandomRWFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

/// RocksDB makes files with mode 0644, less the umask, which belongs to the whole process.
class PrivateFiles final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  const char* Name() const override { return "rp.PrivateFiles"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file,
                           IODebugContext* context) override {
    return made(path, target()->NewWritableFile(path, options, file, context));
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<FSWritableFile>* file,
                              IODebugContext* context) override {
    return made(path, target()->ReopenWritableFile(path, options, file, context));
  }
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSRandomRWFile>* file,
                           IODebugContext* context) override {
    return made(path, target()->NewRandomRWFile(path, options, file, context));
  }
  IOStatus LockFile(const std::string& path, const IOOptions& options, rocksdb::FileLock** lock,
                    IODebugContext* context) override {
    return made(path, target()->LockFile(path, options, lock, context));
  }

 private:
  static IOStatus made(const std::string& path, IOStatus status) {
    if (!status.ok() || chmod(path.c_str(), 0600) == 0) return status;
    return IOStatus::IOError("setting the mode of " + path, std::generic_category().message(errno));
  }
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_private_files() {
  return rocksdb::NewCompositeEnv(std::make_shared<PrivateFiles>(rocksdb::FileSystem::Default()));
}

}  // namespace rp::queue
