#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

/// C++ values as JSON text, in one style: `{"a": 1, "b": [true, null, "\u00e9"]}`. One space after
/// comma and colon, ASCII only, floats by their shortest digits that read back the same.
namespace rp {

/// An argument or a value that is of the right type but not usable; its name reaches the caller.
class ValueError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

enum class OnBadUtf8 { refuse, replace };

namespace detail {

inline void append_u_escape(std::string& out, std::uint32_t unit) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kHex[(unit >> shift) & 15]);
}

inline void append_code_point(std::string& out, std::uint32_t point) {
  if (point < 0x10000) return append_u_escape(out, point);
  append_u_escape(out, 0xd800 + ((point - 0x10000) >> 10));
  append_u_escape(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
}

/// Reads one code point of two or more bytes at the front of `text` and removes it; none, and one
/// byte removed, when it is overlong, a surrogate, out of range or cut short.
inline std::optional<std::uint32_t> take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return static_cast<unsigned char>(text[i]);
  };
  const std::uint32_t lead = byte(0);
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const std::uint32_t lowest = size == 4 ? 0x10000 : size == 3 ? 0x800 : 0x80;
  bool good = lead >= 0xc2 && lead <= 0xf4 && text.size() >= size;
  std::uint32_t point = lead & (0xffU >> (size + 1));
  for (std::size_t i = 1; good && i < size; ++i) {
    good = (byte(i) & 0xc0U) == 0x80U;
    point = (point << 6) | (byte(i) & 0x3fU);
  }
  good = good && point >= lowest && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
  text.remove_prefix(good ? size : 1);
  return good ? std::optional(point) : std::nullopt;
}

/// How many characters at the front stand for themselves in a JSON string.
inline std::size_t plain_prefix(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && text[size] >= ' ' && text[size] <= '~' && text[size] != '"' &&
         text[size] != '\\') {
    ++size;
  }
  return size;
}

/// An ASCII character that does not stand for itself.
inline void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out.append("\\\"");
      break;
    case '\\':
      out.append("\\\\");
      break;
    case '\b':
      out.append("\\b");
      break;
    case '\f':
      out.append("\\f");
      break;
    case '\n':
      out.append("\\n");
      break;
    case '\r':
      out.append("\\r");
      break;
    case '\t':
      out.append("\\t");
      break;
    default:
      append_u_escape(out, static_cast<unsigned char>(c));
  }
}

}  // namespace detail

/// Appends `text` as a JSON string. Throws ValueError for what is not UTF-8, or writes U+FFFD.
inline void append_json_string(std::string& out, std::string_view text,
                               OnBadUtf8 bad = OnBadUtf8::refuse) {
  out.push_back('"');
  while (!text.empty()) {
    const std::size_t plain = detail::plain_prefix(text);
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (static_cast<unsigned char>(text.front()) < 0x80) {
      detail::append_escaped(out, text.front());
      text.remove_prefix(1);
      continue;
    }
    const auto point = detail::take_code_point(text);
    if (!point && bad == OnBadUtf8::refuse) throw ValueError("a string is not UTF-8");
    detail::append_code_point(out, point.value_or(0xfffd));
  }
  out.push_back('"');
}

/// Appends the shortest digits that read back as `number`, always recognisable as a float: "5.0",
/// "1700000000.123456", "1e-07". Throws ValueError for what JSON cannot say (NaN, infinity).
inline void append_json_float(std::string& out, double number) {
  if (!std::isfinite(number)) throw ValueError("JSON has no number for NaN or infinity");
  char text[32];
  const auto magnitude = std::fabs(number);
  // Plain digits where a reader expects them, an exponent beyond; the borders are those of other
  // languages' shortest float output.
  const bool plain = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(text, text + sizeof(text), number, format).ptr;
  const std::string_view digits(text, static_cast<std::size_t>(end - text));
  out.append(digits);
  if (plain && digits.find('.') == std::string_view::npos) out.append(".0");
}

class Json;

namespace detail {

template <class T>
concept StringLike = std::convertible_to<const T&, std::string_view>;

template <class T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
}
&&!std::ranges::range<T>;

template <class T>
concept MapLike = std::ranges::range<T> && requires {
  typename T::mapped_type;
};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
void append_json(std::string& out, const T& value);

template <class Range, class AppendOne>
void append_list(std::string& out, char open, char close, const Range& range, AppendOne append) {
  out.push_back(open);
  const char* separator = "";
  for (const auto& item : range) {
    out.append(std::exchange(separator, ", "));
    append(item);
  }
  out.push_back(close);
}

template <class Tuple>
void append_tuple(std::string& out, const Tuple& tuple) {
  out.push_back('[');
  const char* separator = "";
  std::apply(
      [&](const auto&... item) {
        ((out.append(std::exchange(separator, ", ")), append_json(out, item)), ...);
      },
      tuple);
  out.push_back(']');
}

template <std::integral Integer>
void append_integer(std::string& out, Integer value) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  out.append(text, end);
}

}  // namespace detail

/// JSON text that is complete already, made from any value that has a JSON form: null, bool,
/// numbers, strings, optionals, lists, maps with string keys, tuples, and Json itself.
class Json {
 public:
  Json() : text_("null") {}
  template <class T>
  requires(!std::same_as<std::remove_cvref_t<T>, Json>)
      Json(const T& value) {  // NOLINT: implicit, so that values stand where Json is asked for
    detail::append_json(text_, value);
  }

  /// Takes `text` as it is: the caller knows that it is JSON.
  static Json from_text(std::string text) {
    Json json;
    json.text_ = std::move(text);
    return json;
  }

  const std::string& text() const& noexcept { return text_; }
  std::string text() && noexcept { return std::move(text_); }

 private:
  std::string text_;
};

/// `Object{{"a", 1}, {"b", "x"}}`: members keep their order.
class Object {
 public:
  struct Member {
    std::string_view key;
    Json value;
  };
  Object(std::initializer_list<Member> members) {
    detail::append_list(text_, '{', '}', members, [this](const Member& m) {
      append_json_string(text_, m.key);
      text_.append(": ").append(m.value.text());
    });
  }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// `Array{1, "x", nullptr}`: items of any kinds.
class Array {
 public:
  Array(std::initializer_list<Json> items) {
    detail::append_list(text_, '[', ']', items, [this](const Json& i) { text_.append(i.text()); });
  }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

namespace detail {

template <class T>
concept HasText = std::same_as<T, Json> || std::same_as<T, Object> || std::same_as<T, Array>;

template <class T>
void append_json(std::string& out, const T& value) {
  if constexpr (HasText<T>) {
    out.append(value.text());
  } else if constexpr (std::same_as<T, bool>) {
    out.append(value ? "true" : "false");
  } else if constexpr (std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t> ||
                       std::same_as<T, std::monostate>) {
    out.append("null");
  } else if constexpr (std::floating_point<T>) {
    append_json_float(out, static_cast<double>(value));
  } else if constexpr (std::integral<T>) {
    append_integer(out, value);
  } else if constexpr (StringLike<T>) {
    append_json_string(out, value);
  } else if constexpr (IsOptional<T>::value) {
    value ? append_json(out, *value) : append_json(out, nullptr);
  } else if constexpr (MapLike<T>) {
    append_list(out, '{', '}', value, [&out](const auto& entry) {
      append_json_string(out, entry.first);
      out.append(": ");
      append_json(out, entry.second);
    });
  } else if constexpr (std::ranges::range<T>) {
    append_list(out, '[', ']', value, [&out](const auto& item) { append_json(out, item); });
  } else {
    static_assert(TupleLike<T>, "this type has no JSON form");
    append_tuple(out, value);
  }
}

}  // namespace detail

}  // namespace rp
