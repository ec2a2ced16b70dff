#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/responder.h"
#include "pipe/event.h"

namespace rp::handlers {

/// What a method promises or needs; the numbers are those of plugin.h.
enum class Flags : std::uint32_t {
  none = 0,
  idempotent = 1,   ///< running it twice does no harm
  blocking = 2,     ///< runs on the worker pool instead of inline
  streaming = 4,    ///< may answer in pieces
  body_stream = 8,  ///< begins at once and reads the request's body as it comes
};
constexpr Flags operator|(Flags a, Flags b) noexcept {
  return static_cast<Flags>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has(Flags set, Flags flag) noexcept {
  return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(flag)) != 0;
}

/// Answers one event: through `responder` before it returns, or later through one that it moved
/// from it. What it throws becomes an exception object. Runs on many threads at once.
using Handler = std::function<void(const Invocation& invocation, Responder& responder)>;

/// Hears of every event in the order of the reference's metrics: received, started, finished,
/// handled. An unknown method is received and handled only. Called on any thread; must be quick and
/// must not throw. Told before the answer leaves, so whoever has the answer finds the metrics.
class DispatchObserver {
 public:
  virtual ~DispatchObserver() = default;
  virtual void received() noexcept = 0;
  virtual void started(std::string_view method) noexcept = 0;
  /// `ok`: the handler answered; false for an exception, a lost deadline, a cancelled call.
  virtual void finished(std::string_view method, pipe::Clock::duration took, bool ok) noexcept = 0;
  virtual void handled(pipe::Clock::duration took) noexcept = 0;
};

struct DispatcherOptions {
  std::size_t workers = 16;           ///< threads for blocking handlers
  std::size_t queued_max = 1024;      ///< blocking calls that may wait for a thread
  std::size_t in_flight_max = 65536;  ///< calls begun and unanswered

  /// Bodies that follow their events, for methods that take them whole: of one call, of all calls.
  std::size_t body_bytes_max = std::size_t{64} * 1024 * 1024;
  std::size_t gathered_bytes_max = std::size_t{256} * 1024 * 1024;
  /// How long nothing may come of a body that is waited for. 30 s: longer than the node goes
  /// without noticing a dead pipe, so a caller that is silent for so long has stalled.
  std::chrono::milliseconds body_timeout{30'000};

  /// How long, and in how much memory, answers to requests with an idempotency key are kept. With
  /// a window of 0 a key means nothing here: whoever submits has seen to it.
  std::chrono::seconds idempotency_window = std::chrono::hours(24);
  std::size_t idempotency_bytes_max = std::size_t{64} * 1024 * 1024;
};

/// Local handlers as an EventTarget: maps verb and noun to a method, runs it, and makes sure that
/// every event gets exactly one answer, whatever the handler does. A body that follows its event
/// is gathered before the handler begins, except for methods that are `body_stream`.
///
/// A request with the header idempotency-key runs once for each caller and key: a repetition gets
/// the first answer again, or Errc::key_in_use while there is none, or Errc::key_reused when it is
/// another request or its answer was not kept. Idempotent methods just run again.
///
/// Register methods first, then submit() from any thread. A method that is not `blocking` runs
/// inside submit(), on the caller's thread. Answers of its own:
///  - no such method: code 255, text/plain, empty body;
///  - the handler threw, dropped its Responder, or got malformed JSON: code 251, exception object;
///  - Errc::deadline_exceeded, even when the handler hangs, or when a body stops coming;
///    Errc::body_too_large and Errc::overloaded when a bound is reached; Errc::draining once stop()
///    was called.
class Dispatcher final : public pipe::EventTarget {
 public:
  /// `observer` may be null; it outlives the dispatcher and every call. Throws std::system_error
  /// when threads cannot be started.
  explicit Dispatcher(DispatcherOptions options = {}, DispatchObserver* observer = nullptr);
  ~Dispatcher() override;  // stop(0 s)

  /// Registers one method, before the first submit(). `noun`: letters, digits, '_', '-', '.', '/';
  /// a '*' at its end takes every noun that begins so, and the longest such pattern wins after an
  /// exact name. Throws std::invalid_argument, naming the rule, when verb or noun is malformed or
  /// the method exists.
  void add(std::string_view verb, std::string_view noun, Flags flags, Handler handler);

  /// The same for a method that another process answers: its events go to `target` as they are,
  /// bodies that follow included. They count, and are bounded and ended, like those of a mount.
  void add(std::string_view verb, std::string_view noun, Flags flags,
           std::shared_ptr<pipe::EventTarget> target);

  /// Hands every event for `noun`, `noun/...` and `noun//...`, of any verb, to `target` as it is,
  /// bodies that follow included; before the first submit(). Of several the longest noun wins, and
  /// a method that is registered by its exact name before all of them. "" takes what nothing else
  /// does. The calls count, and are bounded and ended, like those of methods. Throws
  /// std::invalid_argument when the noun is malformed or taken by another target.
  void mount(std::string_view noun, std::shared_ptr<pipe::EventTarget> target);

  /// True when `verb` and `noun` (arguments allowed: "cat//a/b") name an idempotent method.
  bool is_idempotent(std::string_view verb, std::string_view noun) const noexcept;

  /// Names of all methods, sorted: "get_cat", "get_time".
  std::vector<std::string> methods() const;

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

  /// Calls begun and not yet answered.
  std::size_t in_flight() const noexcept;

  /// Takes no new calls, waits up to `drain` for those in flight, fails the rest with
  /// Errc::stopped, and gives their handlers one more second to return. Returns how many worker
  /// threads are still inside a handler: when not 0, plugins must not be unloaded and the program
  /// should leave by _exit(). Further calls return the same number.
  std::size_t stop(std::chrono::milliseconds drain);

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace rp::handlers
