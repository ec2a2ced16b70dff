#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "queue/message.h"
#include "queue/store.h"

namespace rp::queue {

/// The store broke off a group of operations. Thrown from deep inside a decision, caught in one
/// place, where the group is undone; it never leaves the engine.
struct StoreFailed {
  Error error;
};

/// The store has a value and cannot read it. Thrown before the operation has changed anything; who
/// catches it leaves the message where it is and goes on without it.
struct Unreadable {
  Error error;
};

/// The group of changes that is being made, in front of the store it will go to.
///
/// Decisions add to the batch and go on; reads of what the batch has changed settle() it first, so
/// that they see it. commit() makes everything durable. Every function may throw StoreFailed, and
/// the two get() Unreadable.
class Ledger {
 public:
  /// `complete` adds what follows from the other changes of a batch, just before it is written.
  Ledger(Store& store, std::function<void(Batch&)> complete)
      : store_(store), complete_(std::move(complete)) {}

  Batch& batch() { return batch_; }
  /// Says that the batch holds changes of this message.
  void changed(MessageId id) { changed_.insert(id); }
  /// Says that the group holds something that must survive a loss of power before it is reported.
  void want_sync() { sync_wanted_ = true; }
  /// Likewise, and that it is not in the batch but will be added when it is completed.
  void want_change() { sync_wanted_ = change_wanted_ = true; }

  /// A value that belongs to this message alone.
  std::optional<std::string> get(std::string_view key, MessageId id);
  /// A value of any kind.
  std::optional<std::string> get(std::string_view key);
  /// Part of an order.
  Scanned scan(std::string_view first, std::string_view last, std::size_t entries_max,
               std::size_t bytes_max);

  /// Gives the batch to the store, without a sync. Only between operations that must be atomic.
  void settle();
  /// The same if the batch has grown large, so that a group of many large changes needs no more
  /// memory than one of few.
  void relieve();
  /// The end of a group.
  void commit();
  /// Drops what has not been given to the store.
  void forget();

  std::uint64_t commits() const { return commits_; }
  std::uint64_t syncs() const { return syncs_; }
  std::uint64_t damaged() const { return damaged_; }
  /// Values and stretches that could not be read for another reason, which may pass.
  std::uint64_t unreadable() const { return unreadable_; }
  /// A stored record did not fit its checksum.
  void report_damage(std::string_view what, std::string_view key);

 private:
  std::optional<std::string> read(std::string_view key);
  void report_unreadable(std::string_view key);
  /// Gives the batch to the store.
  void write(bool sync);
  void check(const Status& status);

  Store& store_;
  std::function<void(Batch&)> complete_;
  Batch batch_;
  std::unordered_set<MessageId> changed_;  // by the batch
  bool sync_wanted_ = false;
  bool change_wanted_ = false;
  bool unsynced_ = false;  // something that wants a sync was written without one
  std::uint64_t commits_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t damaged_ = 0;
  std::uint64_t unreadable_ = 0;
};

}  // namespace rp::queue
