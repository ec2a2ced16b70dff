#include "pipe/core/fields.h"

#include <cstring>

namespace rp::pipe {

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
