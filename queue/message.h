#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What goes in and out of the message engine.
namespace rp::queue {

/// Unique over all channels, ever increasing, never used twice, not even after a restart.
using MessageId = std::uint64_t;

/// Times of the engine have this resolution.
using Milliseconds = std::chrono::milliseconds;

/// The wall clock, for what people and other programs see.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Milliseconds>;

/// A message as its producer hands it in. What is absent is taken from the channel's settings.
struct NewMessage {
  std::string body{};          ///< not empty, at most EngineOptions::body_bytes_max
  std::string content_type{};  ///< at most kContentTypeBytesMax; printable, not interpreted
  std::int64_t priority = 0;   ///< lower is delivered first; equals in the order of their ids
  std::optional<Milliseconds> visibility{};       ///< >= 1 ms: how long a delivery hides it
  std::optional<std::uint32_t> deliveries_max{};  ///< 0: no limit
  std::optional<Milliseconds> retention{};  ///< never delivered when it is this old; 0: no limit
  Milliseconds delay{};                     ///< >= 0: hidden for this long at first
  std::optional<WallTime> at{};  ///< instead of `delay`: hidden until then; the past is now
  /// Not empty: a second message of this id within the channel's window is not stored; its
  /// producer is told the id of the first.
  std::string dedup_id{};
};

/// What a lease proves: that its holder got this delivery of the message and no later one.
struct Lease {
  MessageId id = 0;
  std::uint64_t token = 0;  ///< drawn at random for each delivery; never 0

  bool operator==(const Lease&) const = default;
};

/// `ID-TOKEN` with 16 hexadecimal digits of token, for headers and logs.
std::string to_text(const Lease& lease);
std::optional<Lease> lease_from_text(std::string_view text);

enum class DeathReason : std::uint8_t {
  delivery_limit = 1,  ///< its last delivery ended without an acknowledgement
  rejected = 2,        ///< a consumer refused it for good
};
std::string_view name(DeathReason reason) noexcept;

/// One way to a dead-letter channel.
struct Death {
  std::string channel{};  ///< where it died
  DeathReason reason{};
  WallTime died_at{};
  std::uint32_t delivered = 0;       ///< deliveries in that channel
  std::uint32_t deliveries_max = 0;  ///< its limit there, which a redrive gives back to it
  Milliseconds retention{};          ///< likewise
};

/// A message as it is in a channel.
struct Message {
  MessageId id = 0;
  std::string channel{};
  std::string topic{};  ///< what it was published to; empty if it was put
  std::int64_t priority = 0;
  std::string content_type{};
  std::string body{};
  Milliseconds visibility{};
  std::uint32_t deliveries_max = 0;  ///< 0: no limit
  Milliseconds retention{};          ///< 0: no limit
  WallTime received_at{};
  Milliseconds age{};           ///< since it was received, on the engine's clock
  std::uint32_t delivered = 0;  ///< deliveries so far, this one included
  std::vector<Death> deaths{};  ///< oldest first; at most kDeathsKept, the latest ones
};

struct Delivery {
  Message message;
  Lease lease;
  Milliseconds lease_left{};  ///< until the message is shown to others again
};

enum class MessageState : std::uint8_t {
  ready = 0,
  leased = 1,   ///< with a consumer
  delayed = 2,  ///< put or given back with a delay, or touched before any delivery
};
std::string_view name(MessageState state) noexcept;

/// A message that was looked at and left where it is.
struct Listed {
  Message message;
  MessageState state{};
  Milliseconds shown_in{};  ///< until it is ready; zero when it is
};

constexpr std::size_t kBatchMax = 1'000;    // messages, ids or leases of one operation
constexpr std::size_t kNameBytesMax = 255;  // of a channel or a topic
constexpr std::size_t kContentTypeBytesMax = 1'024;
constexpr std::size_t kDedupIdBytesMax = 255;
constexpr std::size_t kGroupBytesMax = 255;
constexpr std::size_t kDeathsKept = 16;
// About 31 years: sums of two of them and the time of day stay far inside 64 bits.
constexpr Milliseconds kDurationMax{1'000'000'000'000};

}  // namespace rp::queue
