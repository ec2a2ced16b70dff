#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "handlers/byte_budget.h"
#include "handlers/linger/answer.h"
#include "handlers/worker_pool.h"
#include "pipe/event.h"
#include "queue/engine.h"

namespace rp::handlers::linger {

class LingerCall;

struct LingerOptions {
  std::string db_file = ":memory:";                                 ///< as /stats tells it
  std::size_t body_bytes_max = std::size_t{64} * 1024 * 1024;       ///< of one request's body
  std::size_t gathered_bytes_max = std::size_t{256} * 1024 * 1024;  ///< of bodies that follow
};

/// What the calls of one target share.
struct Face {
  Face(queue::Engine& its_engine, LingerOptions its_options);

  queue::Engine& engine;
  const LingerOptions options;
  const Answers answers;
  const std::string hostname;
  const std::chrono::system_clock::time_point started_at;
  const std::chrono::steady_clock::time_point up_since;
  ByteBudget gathered;
  std::atomic<std::uint64_t> gets{0};       ///< requests for a message
  std::atomic<std::uint64_t> handed_on{0};  ///< messages that went to one who waited

  /// For requests with long bodies: to read one takes time that the pipes on the thread which
  /// brought it do not have.
  WorkerPool long_requests;

  /// Whether calls may wait for messages, and those that do.
  std::atomic<bool> may_wait{true};
  void add_waiting(const std::shared_ptr<LingerCall>& call);
  void remove_waiting(LingerCall& call);
  void end_waits();

 private:
  std::mutex mutex_;
  std::set<std::weak_ptr<LingerCall>, std::owner_less<>> waiting_;
};

/// Linger's HTTP API on a message engine, as events: `get channels/jobs` is GET /channels/jobs.
/// docs/queue.md describes it. Mounted as `channels`, `topics`, `messages` and `stats`; the events'
/// answers stand for HTTP responses.
///
/// Safe from any thread. Answers come from the engine's thread, from the one that brings the
/// request, or, where its body is long, from the target's own.
class LingerTarget final : public pipe::EventTarget {
 public:
  static constexpr std::string_view kNouns[] = {"channels", "topics", "messages", "stats"};

  /// `engine` outlives the target; its calls are over once both are closed. Throws
  /// std::system_error when there is no thread to be had.
  LingerTarget(queue::Engine& engine, LingerOptions options);
  ~LingerTarget() override;

  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;

  /// Requests that wait for a message are answered now, as if their time were up, and none waits
  /// any more: the node is leaving.
  void end_waits();
  /// Before the engine is closed: nothing of the target's own runs any more. Idempotent.
  void close();

  // For the front-end, where these paths are at the root:

  /// Whether the API has `path`, as it was written, without its query; "" and "/" it has not.
  static bool has_path(std::string_view path);
  /// Why such a path, or a method there, is no event; nothing if it is one.
  std::optional<Answer> refuse(std::string_view path, std::string_view method) const;
  /// GET /.
  Answer welcome() const;
  Answer no_method(std::string_view allow) const {
    return face_->answers.method_not_allowed(allow);
  }

 private:
  const std::shared_ptr<Face> face_;
};

}  // namespace rp::handlers::linger
