#include "queue/store.h"

namespace rp::queue {

void Batch::clear() {
  bytes_.clear();
  marks_.clear();
}

Batch::Change Batch::operator[](std::size_t index) const {
  const auto& mark = marks_[index];
  const std::string_view bytes(bytes_);
  return {mark.kind, bytes.substr(mark.at, mark.key_size),
          bytes.substr(mark.at + mark.key_size, mark.value_size)};
}

void Batch::add(Kind kind, std::string_view key, std::string_view value) {
  marks_.push_back({kind, bytes_.size(), key.size(), value.size()});
  bytes_.append(key);
  bytes_.append(value);
}

}  // namespace rp::queue
