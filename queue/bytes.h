#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

/// Numbers and strings as the bytes of the store's values.
namespace rp::queue {

/// Appends to a string. Numbers take seven bits in each byte, the lowest first, with the top bit
/// set while more follow; those with a sign are folded first, so that small ones stay short. A
/// string is its length and its bytes.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <std::integral T>
  Writer& number(T value) {
    auto bits = static_cast<std::uint64_t>(value);
    if constexpr (std::is_signed_v<T>) bits = (bits << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0);
    for (; bits >= 0x80; bits >>= 7) out_.push_back(static_cast<char>((bits & 0x7F) | 0x80));
    out_.push_back(static_cast<char>(bits));
    return *this;
  }
  /// Four bytes, the lowest first.
  Writer& fixed(std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) out_.push_back(static_cast<char>(value >> shift));
    return *this;
  }
  Writer& text(std::string_view value) {
    number(value.size());
    out_.append(value);
    return *this;
  }

 private:
  std::string& out_;
};

/// Reads back what a Writer wrote. After a read past the end good() is false and values are empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <std::integral T>
  void number(T& value) {
    std::uint64_t bits = 0;
    value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) return fail();
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      bits |= std::uint64_t{byte & 0x7FU} << shift;
      if ((byte & 0x80U) != 0) continue;
      if constexpr (std::is_signed_v<T>) bits = (bits >> 1) ^ (~(bits & 1) + 1);
      value = static_cast<T>(bits);
      // A value that does not fit was not written as a T.
      if (static_cast<std::uint64_t>(value) != bits) fail();
      return;
    }
    fail();
  }
  void fixed(std::uint32_t& value) {
    value = 0;
    if (bytes_.size() < sizeof value) return fail();
    for (std::size_t i = 0; i < sizeof value; ++i) {
      value |= std::uint32_t{static_cast<unsigned char>(bytes_[i])} << (8 * i);
    }
    bytes_.remove_prefix(sizeof value);
  }
  void text(std::string_view& value) {
    std::size_t size = 0;
    value = {};
    number(size);
    if (bytes_.size() < size) return fail();
    value = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
  }
  void text(std::string& value) {
    std::string_view view;
    text(view);
    value = view;
  }

  bool good() const { return good_; }
  /// Good, and nothing is left.
  bool finished() const { return good_ && bytes_.empty(); }

 private:
  void fail() {
    good_ = false;
    bytes_ = {};
  }

  std::string_view bytes_;
  bool good_ = true;
};

}  // namespace rp::queue
