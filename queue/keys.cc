#include "queue/keys.h"

namespace rp::queue::keys {
namespace {

// Numbers with a sign sort as unsigned ones once their sign bit is turned over.
constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr std::size_t kNumberBytes = 8;

std::uint64_t sortable(std::int64_t value) { return static_cast<std::uint64_t>(value) ^ kSignBit; }
std::int64_t from_sortable(std::uint64_t bits) {
  return static_cast<std::int64_t>(bits ^ kSignBit);
}

void append(std::string& key, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(value >> shift));
}

std::string start(Table table) {
  std::string key;
  key.reserve(1 + 3 * kNumberBytes);
  key.push_back(static_cast<char>(table));
  return key;
}

std::string start(Table table, std::uint64_t first) {
  auto key = start(table);
  append(key, first);
  return key;
}

std::uint64_t number_at(std::string_view key, std::size_t index) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kNumberBytes; ++i) {
    value = (value << 8) | static_cast<unsigned char>(key[1 + index * kNumberBytes + i]);
  }
  return value;
}

bool holds(std::string_view key, std::size_t numbers) {
  return key.size() == 1 + numbers * kNumberBytes;
}

std::string two_names(Table table, std::string_view first, std::string_view second) {
  auto key = start(table);
  key.append(first).push_back('\0');
  key.append(second);
  return key;
}

}  // namespace

std::string meta(std::string_view name) { return start(Table::meta).append(name); }

std::string channel(std::string_view name) { return start(Table::channel).append(name); }

std::string counts(ChannelNumber number) { return start(Table::counts, number); }

std::string ready(ChannelNumber number, Place place) {
  auto key = start(Table::ready, number);
  append(key, sortable(place.priority));
  append(key, place.id);
  return key;
}

std::string hidden(ChannelNumber number, MessageId id) {
  auto key = start(Table::hidden, number);
  append(key, id);
  return key;
}

std::string body(ChannelNumber number, MessageId id) {
  auto key = start(Table::body, number);
  append(key, id);
  return key;
}

std::string id(MessageId id) { return start(Table::id, id); }

std::string due(Table table, Due due) {
  auto key = start(table, sortable(due.time_ms));
  append(key, due.id);
  return key;
}

std::string dedup(std::string_view channel, std::string_view dedup_id) {
  return two_names(Table::dedup, channel, dedup_id);
}

std::string subscription(std::string_view topic, std::string_view channel) {
  return two_names(Table::subscription, topic, channel);
}

std::string quarantine(std::string_view key) { return start(Table::quarantine).append(key); }

Range all(Table table) {
  return {std::string(1, static_cast<char>(table)), std::string(1, static_cast<char>(table) + 1)};
}

Range of_channel(Table table, ChannelNumber number) {
  return {start(table, number), start(table, number + 1)};
}

std::size_t size_of(Table table) {
  switch (table) {
    case Table::id:
    case Table::counts:
      return 1 + kNumberBytes;
    case Table::body:
    case Table::hidden:
    case Table::expiry:
    case Table::dedup_expiry:
    case Table::hidden_until:
      return 1 + 2 * kNumberBytes;
    case Table::ready:
      return 1 + 3 * kNumberBytes;
    default:
      return 0;
  }
}

std::string after(std::string_view key) {
  std::string next(key);
  next.push_back('\0');
  return next;
}

std::optional<Place> place_of_ready(std::string_view key) {
  if (!holds(key, 3)) return std::nullopt;
  return Place{from_sortable(number_at(key, 1)), number_at(key, 2)};
}

std::optional<MessageId> id_at_end(std::string_view key) {
  if (holds(key, 3)) return number_at(key, 2);
  if (holds(key, 2)) return number_at(key, 1);
  return std::nullopt;
}

std::optional<MessageId> id_of_id(std::string_view key) {
  if (!holds(key, 1)) return std::nullopt;
  return number_at(key, 0);
}

std::optional<Due> due_of(std::string_view key) {
  if (!holds(key, 2)) return std::nullopt;
  return Due{from_sortable(number_at(key, 0)), number_at(key, 1)};
}

std::string_view name_of_channel(std::string_view key) { return key.substr(1); }

}  // namespace rp::queue::keys
