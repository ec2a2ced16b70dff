#pragma once

#include <cstdint>
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
  /// `bytes_max`: what it may need, about; 0 for no limit.
  explicit MemoryStore(std::shared_ptr<Map> map = std::make_shared<Map>(),
                       std::uint64_t bytes_max = 0);

  Status write(const Batch& batch, bool sync) override;
  Status sync() override { return {}; }
  Result<std::optional<std::string>> get(std::string_view key) override;
  Scanned scan(std::string_view first, std::string_view last, std::size_t entries_max,
               std::size_t bytes_max) override;
  bool has_room() override { return bytes_max_ == 0 || bytes_ < bytes_max_; }
  Status recover() override { return {}; }
  std::uint64_t bytes() override { return 0; }

 private:
  void put(std::string_view key, std::string_view value);
  void erase(Map::iterator first, Map::iterator last);

  std::shared_ptr<Map> map_;
  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
};

}  // namespace rp::queue
