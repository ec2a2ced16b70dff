#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include <restpipe/plugin.h>
#include <restpipe/sdk/call.hpp>

/// Request bodies that are read while they come.
namespace rp {

/// Reads the request's body piece by piece, whatever its length. A method that takes one by value
/// begins as soon as the request's head is there; it reads before it returns, or moves the body
/// away and reads from any one thread. Request::body() is empty there.
class Body {
 public:
  explicit Body(detail::CallRef call) noexcept : call_(std::move(call)) {}
  Body(Body&&) noexcept = default;
  Body& operator=(Body&&) = delete;
  ~Body() {
    if (call_ && readable_) call_.host()->on_readable(call_.get(), nullptr, nullptr);
  }

  /// Fills up to `size` bytes and says how many; 0 is the end. Waits until there are some, so it is
  /// for blocking methods and the plugin's own threads. Throws Cancelled when the caller left.
  std::size_t read(char* to, std::size_t size) { return *read_for(to, size, -1); }

  /// Does not wait: none when there is nothing now. Throws Cancelled when the caller left.
  std::optional<std::size_t> try_read(char* to, std::size_t size) {
    const auto bytes = read_for(to, size, 0);
    if (!bytes && readable_) {
      call_.host()->on_readable(call_.get(), &detail::run_function, readable_.get());
    }
    return bytes;
  }

  /// Set once, before the first try_read(): each time that one has returned none, `callback` runs
  /// when it is worth another go, or would throw Cancelled. It must not block or throw, and must
  /// not own this body.
  void on_readable(std::function<void()> callback) {
    readable_ = std::make_unique<std::function<void()>>(std::move(callback));
  }

  /// The body's length, where the caller said it beforehand.
  std::optional<std::uint64_t> bytes() const noexcept {
    const auto bytes = call_.invocation().body_bytes;
    return bytes < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(bytes));
  }

 private:
  std::optional<std::size_t> read_for(char* to, std::size_t size, std::int64_t wait_ms) {
    std::size_t got = 0;
    switch (call_.host()->read(call_.get(), to, size, wait_ms, &got)) {
      case RESTPIPE_OK:
        return got;
      case RESTPIPE_BODY_END:
        return 0;
      case RESTPIPE_WOULD_BLOCK:
        return std::nullopt;
      case RESTPIPE_GONE:
      case RESTPIPE_BODY_BROKEN:
        throw Cancelled();
      default:
        throw std::logic_error("the body was read after the answer");
    }
  }

  detail::CallRef call_;
  std::unique_ptr<std::function<void()>> readable_;  // the host knows its address
};

}  // namespace rp
