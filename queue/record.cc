#include "queue/record.h"

#include <utility>

#include "queue/bytes.h"
#include "queue/crc32c.h"

namespace rp::queue {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kSealBytes = 1 + kCrcBytes;

/// Begins a value; end() completes it.
std::string begin(std::size_t content_bytes) {
  std::string value;
  value.reserve(content_bytes + kSealBytes);
  value.push_back(static_cast<char>(kVersion));
  return value;
}

std::string end(std::string_view key, std::string value) {
  const auto crc = crc32c(value, crc32c(key));
  Writer(value).fixed(crc);
  return value;
}

/// Reads the content with `read` and wants all of it to be used.
template <class T, class Read>
std::optional<T> decode(std::string_view key, std::string_view value, Read read) {
  const auto content = unsealed(key, value);
  if (!content) return std::nullopt;
  Reader in(*content);
  T result;
  if (!read(in, result) || !in.finished()) return std::nullopt;
  return result;
}

void write(Writer& out, const Death& death) {
  out.text(death.channel)
      .number(static_cast<std::uint8_t>(death.reason))
      .number(std::int64_t{death.died_at.time_since_epoch().count()})
      .number(death.delivered)
      .number(death.deliveries_max)
      .number(std::int64_t{death.retention.count()});
}

void read(Reader& in, Death& death) {
  std::uint8_t reason = 0;
  std::int64_t died_at_ms = 0;
  std::int64_t retention_ms = 0;
  in.text(death.channel);
  in.number(reason);
  in.number(died_at_ms);
  in.number(death.delivered);
  in.number(death.deliveries_max);
  in.number(retention_ms);
  death.reason = static_cast<DeathReason>(reason);
  death.died_at = WallTime(Milliseconds(died_at_ms));
  death.retention = Milliseconds(retention_ms);
}

template <class T>
void write_optional(Writer& out, const std::optional<T>& value) {
  out.number(static_cast<std::uint8_t>(value ? 1 : 0));
  out.number(value ? *value : T{});
}

template <class T>
void read_optional(Reader& in, std::optional<T>& value) {
  std::uint8_t there = 0;
  T number{};
  in.number(there);
  in.number(number);
  if (there != 0) value = number;
}

std::optional<std::int64_t> count_of(const std::optional<Milliseconds>& duration) {
  if (!duration) return std::nullopt;
  return duration->count();
}

std::optional<Milliseconds> duration_of(const std::optional<std::int64_t>& count) {
  if (!count) return std::nullopt;
  return Milliseconds(*count);
}

}  // namespace

std::string sealed(std::string_view key, std::string_view content) {
  return end(key, begin(content.size()).append(content));
}

std::optional<std::string_view> unsealed(std::string_view key, std::string_view value) {
  if (value.size() < kSealBytes || static_cast<std::uint8_t>(value[0]) != kVersion) {
    return std::nullopt;
  }
  const auto covered = value.substr(0, value.size() - kCrcBytes);
  std::uint32_t crc = 0;
  Reader(value.substr(covered.size())).fixed(crc);
  if (crc != crc32c(covered, crc32c(key))) return std::nullopt;
  return covered.substr(1);
}

std::string encode(std::string_view key, const Record& record) {
  constexpr std::size_t kNumbers = 64;  // about what they take
  auto value =
      begin(kNumbers + record.topic.size() + record.content_type.size() + record.body.size());
  Writer out(value);
  out.number(static_cast<std::uint8_t>(record.state))
      .number(record.shown_at_ms)
      .number(record.token)
      .number(record.delivered)
      .number(record.priority)
      .number(record.received_at_ms)
      .number(record.expires_at_ms)
      .number(record.visibility_ms)
      .number(record.retention_ms)
      .number(record.deliveries_max)
      .number(record.body_bytes)
      .text(record.topic)
      .text(record.content_type)
      .text(record.body)
      .number(static_cast<std::uint8_t>(record.deaths.size()));
  for (const auto& death : record.deaths) write(out, death);
  return end(key, std::move(value));
}

std::optional<Record> decode_record(std::string_view key, std::string_view value) {
  return decode<Record>(key, value, [](Reader& in, Record& record) {
    std::uint8_t state = 0;
    std::uint8_t deaths = 0;
    in.number(state);
    in.number(record.shown_at_ms);
    in.number(record.token);
    in.number(record.delivered);
    in.number(record.priority);
    in.number(record.received_at_ms);
    in.number(record.expires_at_ms);
    in.number(record.visibility_ms);
    in.number(record.retention_ms);
    in.number(record.deliveries_max);
    in.number(record.body_bytes);
    in.text(record.topic);
    in.text(record.content_type);
    in.text(record.body);
    in.number(deaths);
    record.state = static_cast<MessageState>(state);
    record.deaths.resize(deaths);
    for (auto& death : record.deaths) read(in, death);
    return state <= static_cast<std::uint8_t>(MessageState::delayed) && deaths <= kDeathsKept;
  });
}

std::string encode(std::string_view key, const Counts& counts) {
  auto value = begin(6 * sizeof(std::uint64_t));
  Writer(value)
      .number(counts.ready)
      .number(counts.leased)
      .number(counts.delayed)
      .number(counts.body_bytes)
      .number(counts.urgent)
      .number(counts.niced);
  return end(key, std::move(value));
}

std::optional<Counts> decode_counts(std::string_view key, std::string_view value) {
  return decode<Counts>(key, value, [](Reader& in, Counts& counts) {
    for (auto* count : {&counts.ready, &counts.leased, &counts.delayed, &counts.body_bytes,
                        &counts.urgent, &counts.niced}) {
      in.number(*count);
    }
    return true;
  });
}

std::string encode(std::string_view key, const ChannelRecord& channel) {
  const auto& settings = channel.settings;
  auto value = begin(64 + settings.dead_channel.size());
  Writer(value)
      .number(channel.number)
      .number(static_cast<std::uint8_t>(channel.paused ? 1 : 0))
      .number(settings.messages_max)
      .number(settings.body_bytes_max)
      .text(settings.dead_channel)
      .number(settings.deliveries_max)
      .number(std::int64_t{settings.visibility.count()})
      .number(std::int64_t{settings.retention.count()})
      .number(std::int64_t{settings.dedup_window.count()});
  return end(key, std::move(value));
}

std::optional<ChannelRecord> decode_channel(std::string_view key, std::string_view value) {
  return decode<ChannelRecord>(key, value, [](Reader& in, ChannelRecord& channel) {
    auto& settings = channel.settings;
    std::uint8_t paused = 0;
    std::int64_t visibility_ms = 0;
    std::int64_t retention_ms = 0;
    std::int64_t dedup_window_ms = 0;
    in.number(channel.number);
    in.number(paused);
    in.number(settings.messages_max);
    in.number(settings.body_bytes_max);
    in.text(settings.dead_channel);
    in.number(settings.deliveries_max);
    in.number(visibility_ms);
    in.number(retention_ms);
    in.number(dedup_window_ms);
    channel.paused = paused != 0;
    settings.visibility = Milliseconds(visibility_ms);
    settings.retention = Milliseconds(retention_ms);
    settings.dedup_window = Milliseconds(dedup_window_ms);
    return true;
  });
}

std::string encode(std::string_view key, const Subscription& subscription) {
  auto value = begin(64 + subscription.group.size());
  Writer out(value);
  out.text(subscription.topic).text(subscription.channel).number(subscription.priority);
  write_optional(out, count_of(subscription.visibility));
  write_optional(out, subscription.deliveries_max);
  write_optional(out, count_of(subscription.retention));
  out.text(subscription.group);
  return end(key, std::move(value));
}

std::optional<Subscription> decode_subscription(std::string_view key, std::string_view value) {
  return decode<Subscription>(key, value, [](Reader& in, Subscription& subscription) {
    std::optional<std::int64_t> visibility_ms;
    std::optional<std::int64_t> retention_ms;
    in.text(subscription.topic);
    in.text(subscription.channel);
    in.number(subscription.priority);
    read_optional(in, visibility_ms);
    read_optional(in, subscription.deliveries_max);
    read_optional(in, retention_ms);
    in.text(subscription.group);
    subscription.visibility = duration_of(visibility_ms);
    subscription.retention = duration_of(retention_ms);
    return true;
  });
}

std::string encode(std::string_view key, const Whereabouts& whereabouts) {
  auto value = begin(3 * sizeof(std::uint64_t));
  Writer(value)
      .number(whereabouts.number)
      .number(whereabouts.priority)
      .number(whereabouts.body_bytes);
  return end(key, std::move(value));
}

std::optional<Whereabouts> decode_whereabouts(std::string_view key, std::string_view value) {
  return decode<Whereabouts>(key, value, [](Reader& in, Whereabouts& whereabouts) {
    in.number(whereabouts.number);
    in.number(whereabouts.priority);
    in.number(whereabouts.body_bytes);
    return true;
  });
}

std::string encode_number(std::string_view key, std::uint64_t number) {
  auto value = begin(sizeof number);
  Writer(value).number(number);
  return end(key, std::move(value));
}

std::optional<std::uint64_t> decode_number(std::string_view key, std::string_view value) {
  return decode<std::uint64_t>(key, value, [](Reader& in, std::uint64_t& number) {
    in.number(number);
    return true;
  });
}

}  // namespace rp::queue
