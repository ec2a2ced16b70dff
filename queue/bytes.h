#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

/// Numbers and strings as the bytes of the store's values.
namespace rp::queue {

/// Appends to a string. Little-endian; a string is its length in 32 bits and its bytes.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <std::integral T>
  Writer& number(T value) {
    auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      out_.push_back(static_cast<char>(bits & 0xFF));
      bits = static_cast<std::make_unsigned_t<T>>(static_cast<std::uint64_t>(bits) >> 8);
    }
    return *this;
  }
  Writer& text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
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
    value = 0;
    if (bytes_.size() < sizeof(T)) return fail();
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      bits |= std::uint64_t{static_cast<unsigned char>(bytes_[i])} << (8 * i);
    }
    value = static_cast<T>(bits);
    bytes_.remove_prefix(sizeof(T));
  }
  void text(std::string_view& value) {
    std::uint32_t size = 0;
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
