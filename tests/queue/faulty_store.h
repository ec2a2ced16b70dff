#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "queue/memory_store.h"

namespace rp::queue {

/// The switches of a FaultyStore, in the hands of the test.
struct Faults {
  std::atomic<bool> room{true};
  std::atomic<int> good_writes{0};       // so many of the next writes succeed, whatever comes then
  std::atomic<int> disk_full_writes{0};  // so many of the next writes fail
  std::atomic<bool> broken{false};       // every write fails for good
  std::atomic<bool> recovers{true};
  std::atomic<bool> room_then{true};    // after a recovery
  std::atomic<bool> closes{false};      // a recovery that fails leaves nothing to be read
  std::atomic<bool> unreadable{false};  // every read fails
  std::atomic<int> writes{0};
  std::atomic<std::size_t> largest_batch{0};  // in bytes

  /// Writes wait in front of a closed gate.
  void close_gate() {
    const std::lock_guard lock(mutex);
    closed = true;
  }
  void open_gate() {
    {
      const std::lock_guard lock(mutex);
      closed = false;
    }
    changed.notify_all();
  }
  void await_writer() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting; });
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;
  bool waiting = false;
};

class FaultyStore final : public Store {
 public:
  FaultyStore(Faults& faults, std::shared_ptr<MemoryStore::Map> map)
      : faults_(faults), below_(std::move(map)) {}

  Status write(const Batch& batch, bool sync) override {
    pass_gate();
    ++faults_.writes;
    faults_.largest_batch = std::max(faults_.largest_batch.load(), batch.bytes());
    if (faults_.good_writes > 0) {
      --faults_.good_writes;
      return below_.write(batch, sync);
    }
    if (faults_.broken) return Error{.code = Errc::read_only, .detail = "the disk is broken"};
    if (faults_.disk_full_writes > 0) {
      --faults_.disk_full_writes;
      return Error{.code = Errc::disk_full, .detail = "the disk is full"};
    }
    return below_.write(batch, sync);
  }
  Status sync() override { return below_.sync(); }
  Result<std::optional<std::string>> get(std::string_view key) override {
    if (faults_.unreadable || closed_) {
      return Error{.code = Errc::unreadable, .detail = "too many open files"};
    }
    return below_.get(key);
  }
  Scanned scan(std::string_view first, std::string_view last, std::size_t entries_max,
               std::size_t bytes_max) override {
    if (faults_.unreadable || closed_) return {.entries = {}, .complete = true, .unreadable = 1};
    return below_.scan(first, last, entries_max, bytes_max);
  }
  bool has_room() override { return faults_.room; }
  Status recover() override {
    closed_ = faults_.closes && !faults_.recovers;
    faults_.room = faults_.room_then.load();
    if (faults_.recovers) return {};
    return Error{.code = Errc::disk_full, .detail = "the disk is still full"};
  }
  std::uint64_t bytes() override { return 0; }

 private:
  void pass_gate() {
    std::unique_lock lock(faults_.mutex);
    faults_.waiting = faults_.closed;
    if (faults_.closed) faults_.changed.notify_all();
    faults_.changed.wait(lock, [&] { return !faults_.closed; });
    faults_.waiting = false;
  }

  Faults& faults_;
  MemoryStore below_;
  bool closed_ = false;
};

}  // namespace rp::queue
