#include "queue/memory_store.h"

#include <iterator>
#include <utility>

namespace rp::queue {
namespace {

// A node of the map, and what the allocator adds to it and to its two strings.
constexpr std::uint64_t kEntryBytes = 160;

std::uint64_t size_of(std::string_view key, std::string_view value) {
  return kEntryBytes + key.size() + value.size();
}

}  // namespace

MemoryStore::MemoryStore(std::shared_ptr<Map> map, std::uint64_t bytes_max)
    : map_(std::move(map)), bytes_max_(bytes_max) {
  for (const auto& [key, value] : *map_) bytes_ += size_of(key, value);
}

void MemoryStore::put(std::string_view key, std::string_view value) {
  const auto [at, is_new] = map_->try_emplace(std::string(key));
  if (!is_new) bytes_ -= size_of(key, at->second);
  at->second = value;
  bytes_ += size_of(key, value);
}

void MemoryStore::erase(Map::iterator first, Map::iterator last) {
  for (auto at = first; at != last; ++at) bytes_ -= size_of(at->first, at->second);
  map_->erase(first, last);
}

Status MemoryStore::write(const Batch& batch, bool /*sync*/) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto change = batch[i];
    switch (change.kind) {
      case Batch::Kind::put:
        put(change.key, change.value);
        break;
      case Batch::Kind::erase: {
        const auto found = map_->find(change.key);
        if (found != map_->end()) erase(found, std::next(found));
        break;
      }
      case Batch::Kind::erase_range:
        erase(map_->lower_bound(change.key), map_->lower_bound(change.value));
    }
  }
  return {};
}

Result<std::optional<std::string>> MemoryStore::get(std::string_view key) {
  const auto found = map_->find(key);
  if (found == map_->end()) return std::optional<std::string>();
  return std::optional(found->second);
}

Scanned MemoryStore::scan(std::string_view first, std::string_view last, std::size_t entries_max,
                          std::size_t bytes_max) {
  Scanned scanned;
  std::size_t bytes = 0;
  auto at = map_->lower_bound(first);
  for (; at != map_->end() && at->first < last; ++at) {
    if (scanned.entries.size() >= entries_max || bytes >= bytes_max) return scanned;
    scanned.entries.push_back({at->first, at->second});
    bytes += at->second.size();
  }
  scanned.complete = true;
  return scanned;
}

}  // namespace rp::queue
