#include "pipe/core/fields.h"

#include <cstring>
#include <limits>

namespace rp::pipe {
namespace {

constexpr FieldTag kWireTypeMask = 7;
constexpr std::size_t kTagBytesMax = 5;      // 32 bits
constexpr std::size_t kVarintBytesMax = 10;  // 64 bits

}  // namespace

bool FieldReader::read_varint(std::uint64_t& value, std::size_t bytes_max) {
  value = 0;
  for (std::size_t i = 0; i < rest_.size() && i < bytes_max; ++i) {
    const auto byte = static_cast<unsigned char>(rest_[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool FieldReader::read_bytes(std::uint64_t count) {
  if (count > rest_.size()) return false;
  bytes_ = rest_.substr(0, static_cast<std::size_t>(count));
  rest_.remove_prefix(static_cast<std::size_t>(count));
  return true;
}

bool FieldReader::read_value() {
  std::uint64_t count = 0;
  switch (tag_ & kWireTypeMask) {
    case 0:
      return read_varint(varint_, kVarintBytesMax);
    case 1:
      return read_bytes(sizeof(std::uint64_t));
    case 2:
      return read_varint(count, kVarintBytesMax) && read_bytes(count);
    case 5:
      return read_bytes(sizeof(std::uint32_t));
    default:
      return false;
  }
}

bool FieldReader::next() {
  if (rest_.empty() || !well_formed_) return false;
  std::uint64_t tag = 0;
  well_formed_ = read_varint(tag, kTagBytesMax) && tag <= std::numeric_limits<FieldTag>::max() &&
                 tag >> 3 != 0;
  tag_ = static_cast<FieldTag>(tag);
  well_formed_ = well_formed_ && read_value();
  return well_formed_;
}

void FieldWriter::put_varint(std::uint64_t value) {
  while (value >= 0x80) {
    *at_++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at_++ = static_cast<char>(value);
}

void FieldWriter::begin_bytes(std::uint32_t number, std::size_t count) {
  put_varint(bytes_field(number));
  put_varint(count);
}

void FieldWriter::bytes(std::uint32_t number, std::string_view value) {
  if (value.empty()) return;
  begin_bytes(number, value.size());
  std::memcpy(at_, value.data(), value.size());
  at_ += value.size();
}

void FieldWriter::present_varint(std::uint32_t number, std::uint64_t value) {
  put_varint(varint_field(number));
  put_varint(value);
}

void FieldWriter::varint(std::uint32_t number, std::uint64_t value) {
  if (value != 0) present_varint(number, value);
}

std::size_t FieldWriter::size_of_bytes(std::string_view value) {
  if (value.empty()) return 0;
  std::size_t size = 2 + value.size();
  for (std::size_t rest = value.size() >> 7; rest != 0; rest >>= 7) ++size;
  return size;
}

}  // namespace rp::pipe
