#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

/// The protobuf encoding of one message, read and written in place.
///
/// The heads of calls and replies pass here instead of through the generated classes, which copy
/// every string into a message before anyone looks at it: that cost a third of a call
/// (docs/performance.md). proto/pipe.proto remains the specification, and tests hold both against
/// each other.
namespace rp::pipe {

/// A field's number and its wire type, as they stand in front of it.
using FieldTag = std::uint32_t;

constexpr FieldTag varint_field(std::uint32_t number) { return number << 3; }
constexpr FieldTag bytes_field(std::uint32_t number) { return number << 3 | 2; }

/// Walks over the fields of a message. Those that the caller does not know, or that have another
/// wire type than it expects, it passes over by not asking for their value.
///
///   FieldReader fields(message);
///   while (fields.next()) { if (fields.tag() == bytes_field(2)) noun = fields.bytes(); }
///   if (!fields.well_formed()) ...
class FieldReader {
 public:
  explicit FieldReader(std::string_view message) : rest_(message) {}

  /// To the next field; false at the end of the message or where it does not parse. Groups, which
  /// proto3 does not have, do not parse.
  bool next();
  /// After next() returned false: the whole message was read.
  bool well_formed() const { return well_formed_; }

  FieldTag tag() const { return tag_; }
  std::uint64_t varint() const { return varint_; }
  /// A part of the message that was given.
  std::string_view bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kTagBytesMax = 5;      // 32 bits
  static constexpr std::size_t kVarintBytesMax = 10;  // 64 bits

  bool read_varint(std::uint64_t& value, std::size_t bytes_max);
  bool read_bytes(std::uint64_t count);
  bool read_value();

  std::string_view rest_;
  FieldTag tag_ = 0;
  std::uint64_t varint_ = 0;
  std::string_view bytes_;
  bool well_formed_ = true;
};

// Inline because calling costs as much as reading a short field.

inline bool FieldReader::read_varint(std::uint64_t& value, std::size_t bytes_max) {
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

inline bool FieldReader::read_bytes(std::uint64_t count) {
  if (count > rest_.size()) return false;
  bytes_ = rest_.substr(0, static_cast<std::size_t>(count));
  rest_.remove_prefix(static_cast<std::size_t>(count));
  return true;
}

inline bool FieldReader::read_value() {
  std::uint64_t count = 0;
  constexpr FieldTag kWireTypeMask = 7;
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

inline bool FieldReader::next() {
  if (rest_.empty() || !well_formed_) return false;
  std::uint64_t tag = 0;
  well_formed_ = read_varint(tag, kTagBytesMax) && tag <= std::numeric_limits<FieldTag>::max() &&
                 tag >> 3 != 0;
  tag_ = static_cast<FieldTag>(tag);
  well_formed_ = well_formed_ && read_value();
  return well_formed_;
}

/// Writes fields into memory that the caller has measured with the sums below.
class FieldWriter {
 public:
  /// What one field takes at most beside its bytes; field numbers are below 16.
  static constexpr std::size_t kOverheadBytes = 1 + 10;

  explicit FieldWriter(char* at) : at_(at) {}

  /// Absent when empty or 0, as proto3 has it.
  void bytes(std::uint32_t number, std::string_view value);
  void varint(std::uint32_t number, std::uint64_t value);

  /// The start of a field whose `count` bytes the caller writes next; also when there are none.
  void begin_bytes(std::uint32_t number, std::size_t count);
  /// Written even when 0: an optional field that is set.
  void present_varint(std::uint32_t number, std::uint64_t value);

  /// Behind the last byte written.
  char* end() const { return at_; }

  /// Exactly what bytes() writes.
  static std::size_t size_of_bytes(std::string_view value);

 private:
  void put_varint(std::uint64_t value);

  char* at_;
};

}  // namespace rp::pipe
