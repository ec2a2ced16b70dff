#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "handlers/sha256.h"
#include "pipe/event.h"

namespace rp::handlers {

class KeyedCall;

/// The request header that carries the key.
constexpr std::string_view kKeyHeader = "idempotency-key";
/// The answer is one that was given before.
constexpr std::string_view kReplayedHeader = "idempotency-replayed";
constexpr std::size_t kKeyBytesMax = 255;
/// A longer answer is not kept: one call must not push out the answers of thousands.
constexpr std::size_t kKeptAnswerBytesMax = std::size_t{1024} * 1024;
/// Keys that are remembered at once, whatever they weigh.
constexpr std::size_t kKeysMax = 100'000;

/// The key of a request that has one. An empty view: it has none. Null: it breaks the rule.
std::optional<std::string_view> find_key(const pipe::Headers& headers);
/// The rule that find_key() applies, as a sentence for the caller.
std::string key_rule();

/// What must be the same in a repetition, besides the body.
Digest head_digest(const pipe::Event& event);
Digest body_digest(std::string_view body);

/// An answer as it was given.
struct KeptAnswer {
  pipe::ReplyHead head;
  std::string body;
};

/// The requests with keys that are running, and those that have run: a bounded window of them.
/// Safe from any thread.
class KeyWindow final {
 public:
  struct Limits {
    std::chrono::seconds age_max = std::chrono::hours(24);
    std::size_t bytes_max = std::size_t{64} * 1024 * 1024;
  };
  struct Entry;
  using Handle = std::shared_ptr<Entry>;

  enum class Verdict {
    first,          ///< now running: finish() or forget() follows
    in_use,         ///< the first one is still running
    other_request,  ///< the key came with another request
    answered,       ///< `answer` is what the first one got
    not_kept,       ///< the first one has ended; `why` it has no answer here
    compare_body,   ///< the first one has ended; same() once this body is known
  };
  struct Found {
    Verdict verdict{};
    Handle entry;
    std::shared_ptr<const KeptAnswer> answer;
    std::string why;
    std::shared_ptr<KeyedCall> running;  ///< of in_use; null when it has just ended
  };

  explicit KeyWindow(Limits limits) : limits_(limits) {}

  /// What is known of `key` of `caller`. `body`: none while it has not come.
  Found look(std::string_view caller, std::string_view key, const Digest& head,
             const std::optional<Digest>& body, pipe::Clock::time_point now);
  /// After compare_body.
  Found same(const Handle& entry, const Digest& body) const;

  /// Of an entry that is running. What comes after its end, or after forget(), changes nothing.
  void set_call(const Handle& entry, std::weak_ptr<KeyedCall> call);
  void set_body(const Handle& entry, const Digest& body);
  void finish(const Handle& entry, KeptAnswer answer, pipe::Clock::time_point now);
  void finish_without_answer(const Handle& entry, std::string why, pipe::Clock::time_point now);
  /// Nothing ran: the next request with the key is the first.
  void forget(const Handle& entry);

  std::size_t size() const;
  std::size_t bytes() const;

 private:
  Found judge(const Handle& entry, const Digest& head, const std::optional<Digest>& body) const;
  void end(const Handle& entry, std::size_t answer_bytes, pipe::Clock::time_point now);
  void make_room(pipe::Clock::time_point now);

  const Limits limits_;
  mutable std::mutex mutex_;  // guards the rest, and the entries
  std::unordered_map<std::string, Handle> entries_;
  std::list<Handle> ended_;  // the oldest first
  std::size_t bytes_ = 0;    // held by those that have ended
};

}  // namespace rp::handlers
