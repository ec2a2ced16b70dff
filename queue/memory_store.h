#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "queue/store.h"

namespace rp::queue {

/// A store for nodes without a data directory. It forgets everything when the process ends.
class MemoryStore final : public Store {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;

  /// A map that outlives the store makes what was written outlive it, for tests of restarts.
  explicit MemoryStore(std::shared_ptr<Map> map = std::make_shared<Map>()) : map_(std::move(map)) {}

  Status write(const Batch& batch, bool sync) override;
  Status sync() override { return {}; }
  Result<std::optional<std::string>> get(std::string_view key) override;
  Scanned scan(std::string_view first, std::string_view last, std::size_t entries_max,
               std::size_t bytes_max) override;
  bool has_room() override { return true; }
  Status recover() override { return {}; }
  std::uint64_t bytes() override { return 0; }

 private:
  std::shared_ptr<Map> map_;
};

}  // namespace rp::queue
