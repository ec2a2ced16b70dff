#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <restpipe/plugin.h>
#include <restpipe/sdk/json_text.hpp>

namespace rp {

namespace detail {

inline std::string_view view(restpipe_text text) noexcept {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

inline restpipe_text text(std::string_view view) noexcept { return {view.data(), view.size()}; }

template <class T>
concept Nothing = std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t> ||
    std::same_as<T, std::monostate>;

}  // namespace detail

/// An answer in full: content type, code, data, and headers if need be.
class Reply {
 public:
  /// `content_type`: nullopt is application/json. `code` must fit an unsigned 32-bit integer.
  /// `data`: nullptr is an empty body; a string is the body as it is, any bytes; every other value
  /// is its JSON text, and then the content type must be a JSON one. What breaks these rules
  /// reaches the caller as an exception object.
  template <class T>
  Reply(std::optional<std::string> content_type, std::int64_t code, const T& data)
      : content_type_(std::move(content_type)), code_(code) {
    if constexpr (detail::Nothing<T>) {
      // An empty body.
    } else if constexpr (detail::StringLike<T>) {
      body_ = std::string_view(data);
    } else {
      body_is_json_ = true;
      body_ = Json(data).text();
    }
  }

  /// A further response header; the name in lower case.
  Reply& header(std::string name, std::string value) & {
    headers_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  Reply&& header(std::string name, std::string value) && {
    header(std::move(name), std::move(value));
    return std::move(*this);
  }

  const std::string& content_type() const noexcept {
    return content_type_ ? *content_type_ : kJson;
  }
  std::int64_t code() const noexcept { return code_; }
  const std::string& body() const noexcept { return body_; }
  bool body_is_json() const noexcept { return body_is_json_; }
  const std::vector<std::pair<std::string, std::string>>& headers() const noexcept {
    return headers_;
  }

 private:
  static inline const std::string kJson = "application/json";

  std::optional<std::string> content_type_;
  std::int64_t code_;
  std::string body_;
  bool body_is_json_ = false;
  std::vector<std::pair<std::string, std::string>> headers_;
};

namespace detail {

template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};

/// The head of a Reply as the host reads it; views into the Reply.
class HeadView {
 public:
  explicit HeadView(const Reply& reply) {
    for (const auto& [name, value] : reply.headers()) headers_.push_back({text(name), text(value)});
    head_.size = sizeof(head_);
    head_.code = reply.code();
    head_.content_type = text(reply.content_type());
    head_.headers = headers_.data();
    head_.headers_count = headers_.size();
    head_.body_is_json = reply.body_is_json() ? 1 : 0;
  }
  HeadView(const HeadView&) = delete;
  HeadView& operator=(const HeadView&) = delete;

  const restpipe_reply_head& head() const noexcept { return head_; }

 private:
  std::vector<restpipe_header> headers_;
  restpipe_reply_head head_{};
};

}  // namespace detail

/// What a method returned, as a Reply: a Reply itself, or a value under application/json with code
/// 0. A string is sent bare, without quotes; nullptr, an empty optional and monostate as no body.
template <class T>
Reply to_reply(const T& value) {
  if constexpr (std::same_as<T, Reply>) {
    return value;
  } else if constexpr (detail::IsOptional<T>::value) {
    return value ? to_reply(*value) : to_reply(nullptr);
  } else if constexpr (detail::IsVariant<T>::value) {
    return std::visit([](const auto& v) { return to_reply(v); }, value);
  } else {
    return Reply(std::nullopt, 0, value);
  }
}

}  // namespace rp
