#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/channel_settings.h"
#include "queue/keys.h"
#include "queue/message.h"

/// The values of the store. Each is sealed: a version, the content, and a CRC-32C over its key and
/// both, so that a flipped bit is noticed, and a value under a foreign key too.
namespace rp::queue {

using keys::ChannelNumber;

/// Bodies up to here are kept in the record itself, which moves when the message is leased; larger
/// ones stay in a place of their own. 1 KiB: below it one more key costs more than the copy.
constexpr std::size_t kInlineBodyMax = 1'024;

std::string sealed(std::string_view key, std::string_view content);
/// The content, or nothing if the value is damaged.
std::optional<std::string_view> unsealed(std::string_view key, std::string_view value);

/// A message as it is stored; its id and channel are in the key. Times are of the engine's clock,
/// in milliseconds.
struct Record {
  MessageState state = MessageState::ready;
  std::int64_t shown_at_ms = 0;  // while hidden
  std::uint64_t token = 0;       // of the lease; 0 without one
  std::uint32_t delivered = 0;

  std::int64_t priority = 0;
  std::int64_t received_at_ms = 0;
  std::int64_t expires_at_ms = 0;  // 0: never
  std::int64_t visibility_ms = 0;
  std::int64_t retention_ms = 0;
  std::uint32_t deliveries_max = 0;
  std::uint64_t body_bytes = 0;
  std::string topic{};
  std::string content_type{};
  std::string body{};  // empty if it is kept apart
  std::vector<Death> deaths{};

  bool body_apart() const { return body_bytes > kInlineBodyMax; }
};

std::string encode(std::string_view key, const Record& record);
std::optional<Record> decode_record(std::string_view key, std::string_view value);

/// What a channel holds, written with every change of it.
struct Counts {
  std::uint64_t ready = 0;
  std::uint64_t leased = 0;
  std::uint64_t delayed = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t urgent = 0;
  std::uint64_t niced = 0;

  std::uint64_t messages() const { return ready + leased + delayed; }
};

std::string encode(std::string_view key, const Counts& counts);
std::optional<Counts> decode_counts(std::string_view key, std::string_view value);

struct ChannelRecord {
  ChannelNumber number = 0;
  bool paused = false;
  ChannelSettings settings{};
};

std::string encode(std::string_view key, const ChannelRecord& channel);
std::optional<ChannelRecord> decode_channel(std::string_view key, std::string_view value);

std::string encode(std::string_view key, const Subscription& subscription);
std::optional<Subscription> decode_subscription(std::string_view key, std::string_view value);

/// Where the message of an id is to be looked for.
struct Whereabouts {
  ChannelNumber number = 0;
  std::int64_t priority = 0;
  std::uint64_t body_bytes = 0;  // known even when the record itself is damaged
};

std::string encode(std::string_view key, const Whereabouts& whereabouts);
std::optional<Whereabouts> decode_whereabouts(std::string_view key, std::string_view value);

std::string encode_number(std::string_view key, std::uint64_t number);
std::optional<std::uint64_t> decode_number(std::string_view key, std::string_view value);

}  // namespace rp::queue
