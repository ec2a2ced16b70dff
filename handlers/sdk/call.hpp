#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <restpipe/plugin.h>
#include <restpipe/sdk/reply.hpp>
#include <restpipe/sdk/type_name.hpp>

/// What a handler has in its hands: the node, the request, and ways to answer later or in pieces.
namespace rp {

enum class Role { server = RESTPIPE_ROLE_SERVER, client = RESTPIPE_ROLE_CLIENT };

enum class Log {
  debug = RESTPIPE_LOG_DEBUG,
  info = RESTPIPE_LOG_INFO,
  warning = RESTPIPE_LOG_WARNING,
  error = RESTPIPE_LOG_ERROR
};

/// The node that runs the plugin. Copy it freely; valid until the plugin is destroyed.
class Host {
 public:
  explicit Host(const restpipe_host* host) noexcept : host_(host) {}

  Role role() const noexcept { return static_cast<Role>(host_->role); }
  std::string_view node_name() const noexcept { return detail::view(host_->node_name); }

  /// A line in the node's log. No secrets, no payloads.
  void log(Log level, std::string_view message) const noexcept {
    host_->log(host_, static_cast<std::uint32_t>(level), detail::text(message));
  }

 private:
  const restpipe_host* host_;
};

/// Thrown by a Stream once nobody waits any more. Let it pass: it needs no answer.
class Cancelled final : public std::runtime_error {
 public:
  Cancelled() : std::runtime_error("nobody waits for this answer any more") {}
};

namespace detail {

/// One counted reference to a call.
class CallRef {
 public:
  CallRef(const restpipe_host* host, restpipe_call* call,
          const restpipe_invocation* invocation) noexcept
      : host_(host), call_(call), invocation_(invocation) {}
  CallRef(const CallRef& other) noexcept : CallRef(other.host_, other.call_, other.invocation_) {
    if (call_ != nullptr) host_->retain(call_);
  }
  CallRef(CallRef&& other) noexcept
      : host_(other.host_),
        call_(std::exchange(other.call_, nullptr)),
        invocation_(other.invocation_) {}
  CallRef& operator=(const CallRef&) = delete;
  CallRef& operator=(CallRef&&) = delete;
  ~CallRef() {
    if (call_ != nullptr) host_->release(call_);
  }

  explicit operator bool() const noexcept { return call_ != nullptr; }
  const restpipe_host* host() const noexcept { return host_; }
  restpipe_call* get() const noexcept { return call_; }
  const restpipe_invocation& invocation() const noexcept { return *invocation_; }

  restpipe_status reply(const Reply& reply) const noexcept {
    const HeadView head(reply);
    return host_->reply(call_, &head.head(), text(reply.body()));
  }

  restpipe_status raise(std::string_view class_name, std::string_view message,
                        std::string_view traceback) const noexcept {
    restpipe_exception exception{};
    exception.size = sizeof(exception);
    exception.class_name = text(class_name);
    exception.message = text(message);
    exception.traceback = text(traceback);
    return host_->raise(call_, &exception);
  }

  /// The exception that is being handled, as the caller shall see it.
  inline restpipe_status raise_current() const noexcept;

  /// Where, and under which id the log knows more: all that a remote caller is told.
  std::string traceback_line() const {
    return std::string("in ")
        .append(view(invocation_->method))
        .append("(), request ")
        .append(view(invocation_->request_id))
        .append("\n");
  }

 private:
  const restpipe_host* host_;
  restpipe_call* call_;
  const restpipe_invocation* invocation_;
};

inline restpipe_status CallRef::raise_current() const noexcept {
  try {
    const auto traceback = traceback_line();
    try {
      throw;
    } catch (const Cancelled&) {
      return RESTPIPE_GONE;
    } catch (const std::exception& e) {
      const auto class_name = bare_type_name(typeid(e));
      const std::string message = e.what();
      return raise(class_name, message.empty() ? class_name : message, traceback);
    } catch (...) {
      const auto* const type = abi::__cxa_current_exception_type();
      const auto class_name = type != nullptr ? bare_type_name(*type) : "exception";
      return raise(class_name, "something that is no std::exception was thrown", traceback);
    }
  } catch (...) {  // no memory for the strings above
    return raise("bad_alloc", "out of memory", "in the plugin\n");
  }
}

inline void run_function(void* function) { (*static_cast<std::function<void()>*>(function))(); }

}  // namespace detail

/// Keeps a callback for the cancellation of one call; destroying it takes the callback back, and
/// waits for it if it is running on another thread.
class [[nodiscard]] OnCancel {
 public:
  OnCancel(detail::CallRef call, std::function<void()> callback)
      : call_(std::move(call)),
        callback_(std::make_unique<std::function<void()>>(std::move(callback))) {
    call_.host()->on_cancel(call_.get(), &detail::run_function, callback_.get());
  }
  OnCancel(OnCancel&&) noexcept = default;
  OnCancel& operator=(OnCancel&&) = delete;
  ~OnCancel() {
    if (call_) call_.host()->on_cancel(call_.get(), nullptr, nullptr);
  }

 private:
  detail::CallRef call_;
  std::unique_ptr<std::function<void()>> callback_;  // the host knows its address
};

/// What is asked. A view: valid while the handler runs, and as long as the Responder or Stream of
/// the same call lives.
class Request {
 public:
  explicit Request(const detail::CallRef& call) noexcept : call_(&call) {}

  std::string_view method() const noexcept { return detail::view(ask().method); }
  std::string_view verb() const noexcept { return detail::view(ask().verb); }
  std::string_view noun() const noexcept { return detail::view(ask().noun); }
  std::size_t args_count() const noexcept { return ask().args_count; }
  std::string_view arg(std::size_t i) const noexcept { return detail::view(ask().args[i]); }
  std::string_view query() const noexcept { return detail::view(ask().query); }
  std::string_view content_type() const noexcept { return detail::view(ask().content_type); }
  std::string_view body() const noexcept { return detail::view(ask().body); }
  std::string_view origin_node() const noexcept { return detail::view(ask().origin_node); }
  std::string_view origin_address() const noexcept { return detail::view(ask().origin_address); }
  std::uint16_t origin_port() const noexcept { return ask().origin_port; }
  std::string_view request_id() const noexcept { return detail::view(ask().request_id); }

  std::size_t headers_count() const noexcept { return ask().headers_count; }
  std::pair<std::string_view, std::string_view> header(std::size_t i) const noexcept {
    return {detail::view(ask().headers[i].name), detail::view(ask().headers[i].value)};
  }
  /// The value of the first header of that lower-case name; none when it was not forwarded.
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < headers_count(); ++i) {
      if (header(i).first == name) return header(i).second;
    }
    return std::nullopt;
  }

  /// The body is JSON, and was found well-formed: sdk/json.hpp decodes it.
  bool is_json() const noexcept { return content_type() == "application/json" && !body().empty(); }

  /// True once nobody waits for the answer any more.
  bool is_cancelled() const noexcept { return call_->host()->is_cancelled(call_->get()) != 0; }

  /// Runs `callback` when that happens, at once if it has. It must not block or throw.
  OnCancel on_cancel(std::function<void()> callback) const { return {*call_, std::move(callback)}; }

  /// Until the deadline; none when there is none.
  std::optional<std::chrono::milliseconds> time_left() const noexcept {
    const auto left = call_->host()->time_left_ms(call_->get());
    return left < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(left));
  }

 private:
  const restpipe_invocation& ask() const noexcept { return call_->invocation(); }

  const detail::CallRef* call_;
};

/// Answers later, from any thread. A method that takes one by value returns void. When it is
/// destroyed without having answered, the caller gets an exception object.
class Responder {
 public:
  explicit Responder(detail::CallRef call) noexcept : call_(std::move(call)) {}

  Request request() const noexcept { return Request(call_); }

  /// Any value that a method may return. False when nobody waited or an answer was there before.
  template <class T>
  bool reply(const T& value) const {
    return call_.reply(to_reply(value)) == RESTPIPE_OK;
  }
  bool reply() const { return reply(nullptr); }

  /// The exception object, made from the exception that the caller of this is handling...
  bool raise_current() const noexcept { return call_.raise_current() == RESTPIPE_OK; }
  /// ... or put together by hand.
  bool raise(std::string_view class_name, std::string_view message) const {
    return call_.raise(class_name, message, call_.traceback_line()) == RESTPIPE_OK;
  }

 private:
  detail::CallRef call_;
};

/// Answers in pieces. A method that takes one by value returns void; it writes before it returns,
/// or moves the stream away and writes from any one thread. Destroyed before end(), it breaks the
/// answer off.
class Stream {
 public:
  explicit Stream(detail::CallRef call) noexcept : call_(std::move(call)) {}
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&&) = delete;
  ~Stream() {
    if (call_ && writable_) call_.host()->on_writable(call_.get(), nullptr, nullptr);
  }

  Request request() const noexcept { return Request(call_); }

  /// The head of the answer; its body must be empty. The first write() does this if nobody has.
  void begin(const Reply& head = Reply("application/octet-stream", 0, nullptr)) {
    const detail::HeadView view(head);
    check(call_.host()->begin(call_.get(), &view.head()));
    begun_ = true;
  }

  /// Hands `piece` on; waits while the caller has much to take still. For blocking methods and the
  /// plugin's own threads. Throws Cancelled.
  void write(std::string_view piece) {
    if (!begun_) begin();
    check(call_.host()->write(call_.get(), detail::text(piece), -1));
  }

  /// Does not wait: false when there is no room now. At most 64 KiB. Throws Cancelled.
  bool try_write(std::string_view piece) {
    if (!begun_) begin();
    const auto status = call_.host()->write(call_.get(), detail::text(piece), 0);
    if (status == RESTPIPE_WOULD_BLOCK) {
      if (writable_) {
        call_.host()->on_writable(call_.get(), &detail::run_function, writable_.get());
      }
      return false;
    }
    check(status);
    return true;
  }

  /// Set once, before the first try_write(): each time that one has returned false, `callback` runs
  /// when it is worth another go, or would throw Cancelled. It must not block or throw, and must
  /// not own this stream.
  void on_writable(std::function<void()> callback) {
    writable_ = std::make_unique<std::function<void()>>(std::move(callback));
  }

  void end() {
    if (!begun_) begin();
    check(call_.host()->end(call_.get()));
  }

 private:
  static void check(restpipe_status status) {
    if (status == RESTPIPE_GONE) throw Cancelled();
    if (status != RESTPIPE_OK) throw std::logic_error("stream functions were called out of order");
  }

  detail::CallRef call_;
  std::unique_ptr<std::function<void()>> writable_;  // the host knows its address
  bool begun_ = false;
};

}  // namespace rp
