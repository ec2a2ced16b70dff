#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/error.h"

namespace rp::queue {

/// Changes that take effect together, in the order in which they were added.
class Batch {
 public:
  enum class Kind : std::uint8_t { put, erase, erase_range };
  struct Change {
    Kind kind;
    std::string_view key;    ///< of a range: its first key
    std::string_view value;  ///< of a range: the key after its last one
  };

  void put(std::string_view key, std::string_view value) { add(Kind::put, key, value); }
  void erase(std::string_view key) { add(Kind::erase, key, {}); }
  void erase_range(std::string_view first, std::string_view last) {
    add(Kind::erase_range, first, last);
  }
  void clear();

  bool empty() const { return marks_.empty(); }
  std::size_t size() const { return marks_.size(); }
  std::size_t bytes() const { return bytes_.size(); }
  Change operator[](std::size_t index) const;

 private:
  struct Mark {
    Kind kind;
    std::size_t at;
    std::size_t key_size;
    std::size_t value_size;
  };
  void add(Kind kind, std::string_view key, std::string_view value);

  std::string bytes_;
  std::vector<Mark> marks_;
};

struct Entry {
  std::string key;
  std::string value;
};

/// What a scan found. A stretch that cannot be read is left out and counted; what is behind it is
/// found.
struct Scanned {
  std::vector<Entry> entries;
  bool complete = false;         ///< nothing is behind `entries` before the end that was asked for
  std::uint64_t damaged = 0;     ///< stretches that do not fit their checksums
  std::uint64_t unreadable = 0;  ///< stretches that could not be read for another reason
};

/// An ordered map from bytes to bytes that survives a crash. Called by the engine's thread alone,
/// except for health questions that say otherwise.
///
/// Errors of changes: `disk_full`: nothing of the batch is durable, recover() may help;
/// `read_only`: nothing can be written any more. Reads never change anything.
class Store {
 public:
  virtual ~Store() = default;

  /// Applies the batch: reads see it from now on. With `sync`, this batch and all before it survive
  /// a loss of power once the call has returned; without, those before it may, in their order.
  virtual Status write(const Batch& batch, bool sync) = 0;
  /// Makes all that was written survive a loss of power.
  virtual Status sync() = 0;

  /// Nothing if there is no such key. `damaged`: its bytes do not fit their checksum; `unreadable`:
  /// they cannot be read now, for example because no more files can be opened.
  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  /// Up to `entries_max` entries of [first, last), in order; stops early once their values together
  /// reach `bytes_max`, but returns one at least.
  virtual Scanned scan(std::string_view first, std::string_view last, std::size_t entries_max,
                       std::size_t bytes_max) = 0;

  /// Whether there is room to add. Cheap: asked for each group of operations.
  virtual bool has_room() = 0;
  /// After `disk_full`: becomes writable again for what deletes, if it can. What was written before
  /// the failure is there, what failed is not or, where it came without an error before, is. Where
  /// it cannot become writable, what can be read still can, if anything. `disk_full`: ask again.
  virtual Status recover() = 0;
  /// Bytes on disk, about; 0 in memory.
  virtual std::uint64_t bytes() = 0;
};

}  // namespace rp::queue
