#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "queue/error.h"
#include "queue/message.h"

namespace rp::queue {

/// What an operator sets for a channel. It is stored, and holds for messages put from then on.
struct ChannelSettings {
  /// Most messages, ready and hidden; 0: EngineOptions::channel_messages_max holds.
  std::uint64_t messages_max = 0;
  std::uint64_t body_bytes_max = 0;  ///< 0: EngineOptions::channel_body_bytes_max holds
  /// Where messages go that used up their deliveries or were rejected; empty: they are deleted.
  std::string dead_channel{};
  std::uint32_t deliveries_max = 0;           ///< of messages that name none
  Milliseconds visibility{30'000};            ///< likewise; 30 s is Linger's default
  Milliseconds retention{};                   ///< likewise; 0: for ever
  Milliseconds dedup_window{5 * 60 * 1'000};  ///< how long a dedup id is remembered

  bool operator==(const ChannelSettings&) const = default;
};

struct ChannelStats {
  std::uint64_t ready = 0;
  std::uint64_t leased = 0;
  std::uint64_t delayed = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t urgent = 0;  ///< of all: with a priority below 0
  std::uint64_t niced = 0;   ///< of all: with a priority above 0
  std::uint64_t waiters = 0;
  bool paused = false;

  std::uint64_t hidden() const { return leased + delayed; }
  std::uint64_t messages() const { return ready + leased + delayed; }
};

/// What happened since the engine was opened.
struct EngineCounters {
  std::uint64_t added = 0;       ///< messages put or published
  std::uint64_t duplicates = 0;  ///< messages not stored because of their dedup id
  std::uint64_t delivered = 0;
  std::uint64_t given_back = 0;    ///< deliveries that nobody was there for any more
  std::uint64_t acknowledged = 0;  ///< deleted by id or by lease
  std::uint64_t nacked = 0;
  std::uint64_t touched = 0;
  std::uint64_t timed_out = 0;  ///< leases that ended without an answer
  std::uint64_t expired = 0;    ///< messages past their retention
  std::uint64_t dropped = 0;    ///< past their delivery limit, without a dead-letter channel
  std::uint64_t dead_lettered = 0;
  std::uint64_t redriven = 0;
  std::uint64_t published = 0;  ///< copies that channels took
  std::uint64_t purges = 0;
  std::uint64_t refused = 0;  ///< messages refused because of a limit
  std::uint64_t channels_created = 0;
  std::uint64_t channels_removed = 0;
  std::uint64_t subscriptions_added = 0;
  std::uint64_t subscriptions_removed = 0;
  std::uint64_t damaged = 0;  ///< stored records that were found damaged, and not served
  std::uint64_t commits = 0;  ///< groups of operations written together
  std::uint64_t syncs = 0;
};

struct EngineStats {
  ChannelStats all{};  ///< sums; `paused` when every channel is
  std::uint64_t channels = 0;
  std::uint64_t topics = 0;
  std::uint64_t subscriptions = 0;
  MessageId id_last = 0;          ///< the largest id ever given
  std::uint64_t store_bytes = 0;  ///< on disk; 0 in memory
  EngineCounters counters{};
};

/// What copies of a topic's messages look like in one channel.
struct Subscription {
  std::string topic{};  ///< a name, or a pattern: levels end at '.', `*` is one level, a last `>`
                        ///< one or more
  std::string channel{};
  std::int64_t priority = 0;
  std::optional<Milliseconds> visibility{};
  std::optional<std::uint32_t> deliveries_max{};
  std::optional<Milliseconds> retention{};
  /// Not empty: of all subscriptions with this group that fit a message, one gets it, in turn.
  std::string group{};
};

struct Publication {
  std::string body{};
  std::string content_type{};
  Milliseconds delay{};
  std::optional<WallTime> at{};
  /// Channels at a limit: false leaves them out, true makes them refuse for all.
  bool all_or_nothing = true;
};

/// Copies are stored together: after a crash either all of `taken` are there or none.
struct Published {
  std::map<std::string, MessageId> taken{};  ///< by channel
  std::vector<Error> refused{};              ///< each names its channel
};

}  // namespace rp::queue
