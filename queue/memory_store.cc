#include "queue/memory_store.h"

namespace rp::queue {

Status MemoryStore::write(const Batch& batch, bool /*sync*/) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto change = batch[i];
    switch (change.kind) {
      case Batch::Kind::put:
        map_->insert_or_assign(std::string(change.key), std::string(change.value));
        break;
      case Batch::Kind::erase: {
        const auto found = map_->find(change.key);
        if (found != map_->end()) map_->erase(found);
        break;
      }
      case Batch::Kind::erase_range:
        map_->erase(map_->lower_bound(change.key), map_->lower_bound(change.value));
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
