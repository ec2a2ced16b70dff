#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "queue/message.h"

/// The keys of the store: a letter for the table, then numbers whose bytes sort as the numbers do.
///
/// A channel's tables begin with its number, which it gets when it is made and anew when it is
/// purged. Numbers are never used twice, so what a purge leaves behind belongs to nobody.
namespace rp::queue::keys {

using ChannelNumber = std::uint64_t;

enum class Table : char {
  meta = 'a',          // name -> one value of the whole store
  body = 'b',          // channel number, id -> the body, if it is too large for its record
  channel = 'c',       // name -> number, settings
  dedup = 'd',         // channel name, NUL, dedup id -> id of the first message
  expiry = 'e',        // time, id -> channel number: end of a message's retention
  dedup_expiry = 'f',  // time, id -> key in `dedup`
  hidden_until = 'h',  // time, id -> channel number
  id = 'i',            // id -> channel number, priority
  counts = 'n',        // channel number -> what is in the channel
  quarantine = 'q',    // the key of a damaged record -> its bytes
  ready = 'r',         // channel number, priority, id -> record: the order of delivery
  subscription = 's',  // topic, NUL, channel name -> parameters
  hidden = 'w',        // channel number, id -> record: leased or delayed
};

/// Where a message is in the order of delivery of its channel.
struct Place {
  std::int64_t priority = 0;
  MessageId id = 0;
  auto operator<=>(const Place&) const = default;
};

/// An entry of an index by time.
struct Due {
  std::int64_t time_ms = 0;  // of the engine's clock
  MessageId id = 0;
  auto operator<=>(const Due&) const = default;
};

std::string meta(std::string_view name);
std::string channel(std::string_view name);
std::string counts(ChannelNumber number);
std::string ready(ChannelNumber number, Place place);
std::string hidden(ChannelNumber number, MessageId id);
std::string body(ChannelNumber number, MessageId id);
std::string id(MessageId id);
std::string due(Table table, Due due);
std::string dedup(std::string_view channel, std::string_view dedup_id);
std::string subscription(std::string_view topic, std::string_view channel);
std::string quarantine(std::string_view key);

/// The range of a whole table, or of one channel's part of it.
struct Range {
  std::string first;
  std::string last;  // exclusive
};
Range all(Table table);
Range of_channel(Table table, ChannelNumber number);

/// The bytes of a key, in tables whose keys are numbers; 0 in others.
std::size_t size_of(Table table);

/// The first key behind `key`.
std::string after(std::string_view key);

// What a key says; nothing if it is no key of that table.
std::optional<Place> place_of_ready(std::string_view key);
std::optional<MessageId> id_at_end(std::string_view key);  // of `ready`, `hidden`, `body`
std::optional<MessageId> id_of_id(std::string_view key);
std::optional<Due> due_of(std::string_view key);
std::string_view name_of_channel(std::string_view key);

}  // namespace rp::queue::keys
