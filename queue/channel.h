#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace rp::queue {

/// Every time-out of a channel runs on the monotonic clock, so a jump of the wall clock moves none.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

enum class Outcome {
  done,         ///< the operation took effect
  full,         ///< the channel's message or byte limit would be passed; nothing was stored
  unknown,      ///< no message of that id is in the channel
  stale_lease,  ///< the message is there, but the lease is no longer its current one
};

/// Zero is "no limit". Leased and delayed messages count as well as those that are ready.
struct ChannelLimits {
  std::size_t messages_max = 0;
  std::size_t body_bytes_max = 0;
};

struct Message {
  std::uint64_t id = 0;       ///< chosen by the caller, who never uses one twice
  std::int64_t priority = 0;  ///< lower is delivered first; equals in the order of their ids
  std::string content_type{};
  std::string body{};
  Duration visibility =
      std::chrono::seconds{30};           ///< how long a delivery hides it; Linger's default
  std::uint32_t deliveries_max = 0;       ///< 0: no limit
  std::optional<TimePoint> expires_at{};  ///< never delivered at or after this time
  std::uint32_t delivered = 0;            ///< deliveries so far
};

/// A message on loan: it is the taker's until the lease ends, by time or by an answer.
struct Delivery {
  Message message;
  std::uint64_t lease = 0;  ///< of this delivery alone; never 0
};

struct ChannelStats {
  std::size_t ready = 0;
  std::size_t hidden = 0;  ///< leased or delayed
  std::size_t body_bytes = 0;
};

/// The decisions of one queue, held in memory: no thread, no clock and no disk of its own.
///
/// Call it from one thread at a time. `now` must not go back between calls. Time passes inside
/// each call, before anything else, so that a message which is past its retention or its last
/// delivery is not handed out however late the caller comes. put() fails for limits only.
class Channel {
 public:
  explicit Channel(ChannelLimits limits) : limits_(limits) {}

  /// The id must not be in the channel. A positive delay hides the message until it has passed.
  Outcome put(Message message, Duration delay, TimePoint now);

  /// The first ready message, hidden from now on for its visibility; none if none is ready.
  std::optional<Delivery> take(TimePoint now);

  /// Deletes a message in any state, with no proof that the caller holds it.
  Outcome remove(std::uint64_t id, TimePoint now);
  /// Deletes a message for the one who holds it.
  Outcome ack(std::uint64_t id, std::uint64_t lease, TimePoint now);
  /// Gives a message back, at once or after the delay. The delivery stays counted.
  Outcome nack(std::uint64_t id, std::uint64_t lease, Duration delay, TimePoint now);
  /// Starts the visibility again for the one who holds the message.
  Outcome touch(std::uint64_t id, std::uint64_t lease, TimePoint now);

  /// Ready messages in the order of delivery, without taking them. Walks over `offset` of them.
  std::vector<Message> peek(std::size_t offset, std::size_t limit, TimePoint now);
  /// Deletes all messages and returns how many there were.
  std::size_t purge();
  ChannelStats stats(TimePoint now);

  /// Messages that used up their deliveries, for a dead-letter channel; each is returned once.
  /// They count against the limits until then.
  std::vector<Message> collect_dead(TimePoint now);

  /// When the next message turns ready, dead or expired: the time to look again.
  std::optional<TimePoint> next_change() const;

 private:
  enum class State { ready, delayed, leased };
  struct Entry {
    Message message;
    State state = State::ready;
    std::uint64_t lease = 0;
    TimePoint shown_at{};  // when a delayed or leased message comes back
  };
  using Entries = std::unordered_map<std::uint64_t, Entry>;

  void pass_time(TimePoint now);
  void show(Entry& entry);
  void hide(Entry& entry, State state, TimePoint until);
  void unlist(const Entry& entry);
  void erase(Entries::iterator found);
  std::pair<Outcome, Entries::iterator> find_leased(std::uint64_t id, std::uint64_t lease);

  const ChannelLimits limits_;
  Entries entries_;
  std::set<std::pair<std::int64_t, std::uint64_t>> ready_;  // priority, id
  std::set<std::pair<TimePoint, std::uint64_t>> hidden_;    // shown_at, id
  std::set<std::pair<TimePoint, std::uint64_t>> expiring_;  // expires_at, id
  std::vector<Message> dead_;
  std::size_t body_bytes_ = 0;  // of entries_ and dead_
  std::uint64_t lease_last_ = 0;
};

}  // namespace rp::queue
