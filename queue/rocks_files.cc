#include "queue/rocks_files.h"

#include <cerrno>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace rp::queue {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSRandomRWFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

/// The status of a sync, in which "no space" is an error like any other. A write that finds no
/// space has written nothing and may be tried again; after a sync that failed, whatever for, nobody
/// knows what is on the disk.
IOStatus synced(IOStatus status) {
  if (!status.IsNoSpace()) return status;
  return IOStatus::IOError("a sync failed", status.ToString());
}

class SyncedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override {
    return synced(target()->Sync(options, context));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    return synced(target()->Fsync(options, context));
  }
};

class SyncedDirectory final : public FSDirectory {
 public:
  explicit SyncedDirectory(std::unique_ptr<FSDirectory> below) : below_(std::move(below)) {}
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    return synced(below_->Fsync(options, context));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* context,
                               const rocksdb::DirFsyncOptions& directory) override {
    return synced(below_->FsyncWithDirOptions(options, context, directory));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* context) override {
    return below_->Close(options, context);
  }
  size_t GetUniqueId(char* id, size_t max_size) const override {
    return below_->GetUniqueId(id, max_size);
  }

 private:
  const std::unique_ptr<FSDirectory> below_;
};

template <class Wrapper, class File>
IOStatus wrapped(IOStatus status, std::unique_ptr<File>* file) {
  if (status.ok()) *file = std::make_unique<Wrapper>(std::move(*file));
  return status;
}

/// RocksDB makes files with mode 0644, less the umask, which belongs to the whole process.
class PrivateFiles final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  const char* Name() const override { return "rp.PrivateFiles"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file,
                           IODebugContext* context) override {
    return wrapped<SyncedFile>(made(path, target()->NewWritableFile(path, options, file, context)),
                               file);
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<FSWritableFile>* file,
                              IODebugContext* context) override {
    return wrapped<SyncedFile>(
        made(path, target()->ReopenWritableFile(path, options, file, context)), file);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<FSDirectory>* directory, IODebugContext* context) override {
    return wrapped<SyncedDirectory>(target()->NewDirectory(path, options, directory, context),
                                    directory);
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
  return make_private_files(rocksdb::FileSystem::Default());
}

std::unique_ptr<rocksdb::Env> make_private_files(std::shared_ptr<rocksdb::FileSystem> below) {
  return rocksdb::NewCompositeEnv(std::make_shared<PrivateFiles>(std::move(below)));
}

}  // namespace rp::queue
