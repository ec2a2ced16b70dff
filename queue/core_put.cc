// What decides whether a message is taken in, and what is stored of it.
#include <algorithm>

#include "queue/core.h"

namespace rp::queue {
namespace {

Error full(const Channel& channel, std::uint64_t present, std::uint64_t limit, bool of_bytes) {
  return {.code = Errc::full,
          .detail = "channel '" + channel.name + "' holds " + std::to_string(present) +
                    " of at most " + std::to_string(limit) + (of_bytes ? " bytes" : " messages"),
          .channel = channel.name,
          .present = present,
          .limit = limit,
          .of_bytes = of_bytes};
}

bool passes(std::uint64_t present, std::uint64_t added, std::uint64_t limit) {
  return limit != 0 && (added > limit || present > limit - added);
}

}  // namespace

Error bad_argument(std::string detail) {
  return {.code = Errc::bad_argument, .detail = std::move(detail)};
}

std::optional<Error> bad_name(std::string_view what, std::string_view name) {
  const bool good =
      !name.empty() && name.size() <= kNameBytesMax && name.find('\0') == std::string_view::npos;
  if (good) return std::nullopt;
  return bad_argument("the name of a " + std::string(what) + " has 1 to " +
                      std::to_string(kNameBytesMax) + " bytes, none of them NUL");
}

std::optional<Error> bad_duration(std::string_view what, Milliseconds duration,
                                  Milliseconds least) {
  if (duration >= least && duration <= kDurationMax) return std::nullopt;
  return bad_argument("the " + std::string(what) + " is " + std::to_string(duration.count()) +
                      " ms; accepted is " + std::to_string(least.count()) + " to " +
                      std::to_string(kDurationMax.count()));
}

Status Core::check(const NewMessage& message) const {
  const auto bytes = message.body.size();
  if (bytes == 0) return bad_argument("the message is empty");
  if (bytes > options_.body_bytes_max) {
    return bad_argument("the message has " + std::to_string(bytes) + " bytes; the most is " +
                        std::to_string(options_.body_bytes_max));
  }
  if (message.content_type.size() > kContentTypeBytesMax) {
    return bad_argument("the content type has more than " + std::to_string(kContentTypeBytesMax) +
                        " bytes");
  }
  const auto& dedup_id = message.dedup_id;
  if (dedup_id.size() > kDedupIdBytesMax) {
    return bad_argument("the dedup id has more than " + std::to_string(kDedupIdBytesMax) +
                        " bytes");
  }
  if (message.visibility) {
    if (auto bad = bad_duration("visibility timeout", *message.visibility, Milliseconds(1))) {
      return *bad;
    }
  }
  if (message.retention) {
    if (auto bad = bad_duration("retention", *message.retention, Milliseconds(0))) return *bad;
  }
  const auto delay = delay_of(message.delay, message.at);
  if (!delay) return delay.error();
  return {};
}

Result<std::int64_t> Core::delay_of(Milliseconds delay, const std::optional<WallTime>& at) const {
  if (at) {
    // Cut off before it is subtracted, since a time of the caller's may be any.
    const auto at_ms = std::clamp<std::int64_t>(at->time_since_epoch().count(), 0,
                                                2 * kDurationMax.count() + now_ms_);
    delay = Milliseconds(std::max<std::int64_t>(at_ms - now_ms_ - wall_ahead_ms_, 0));
  }
  if (auto bad = bad_duration("delay", delay, Milliseconds(0))) return *bad;
  return delay.count();
}

Result<Channel*> Core::make_channel(const std::string& name) {
  if (auto* channel = channels_.find(name)) {
    channel->used_at_ms = now_ms_;
    return channel;
  }
  if (channels_.size() >= options_.channels_max) {
    return Error{.code = Errc::overloaded,
                 .detail = "there are " + std::to_string(channels_.size()) +
                           " channels, the most that the engine keeps"};
  }
  ++counters_.channels_created;
  auto& channel = channels_.make(name);
  channel.used_at_ms = now_ms_;
  return &channel;
}

std::optional<Error> Core::over_limit(const Channel& channel, std::uint64_t messages,
                                      std::uint64_t bytes) const {
  const auto& settings = channel.settings;
  const auto messages_max =
      settings.messages_max != 0 ? settings.messages_max : options_.channel_messages_max;
  const auto bytes_max =
      settings.body_bytes_max != 0 ? settings.body_bytes_max : options_.channel_body_bytes_max;
  const auto& counts = channel.counts;
  if (passes(counts.messages(), messages, messages_max)) {
    return full(channel, counts.messages(), messages_max, false);
  }
  if (passes(counts.body_bytes, bytes, bytes_max)) {
    return full(channel, counts.body_bytes, bytes_max, true);
  }
  return std::nullopt;
}

Result<Channel*> Core::room_in(const std::string& name, std::uint64_t messages,
                               std::uint64_t bytes) {
  if (no_additions_) return *no_additions_;
  const auto made = make_channel(name);
  if (!made) return made.error();
  auto refused = over_limit(**made, messages, bytes);
  if (!refused && passes(messages_.total().body_bytes, bytes, options_.body_bytes_total_max)) {
    const auto present = messages_.total().body_bytes;
    refused = Error{.code = Errc::full,
                    .detail = "all channels together hold " + std::to_string(present) +
                              " bytes; the limit is " +
                              std::to_string(options_.body_bytes_total_max) + " bytes",
                    .present = present,
                    .limit = options_.body_bytes_total_max,
                    .of_bytes = true,
                    .of_all = true};
  }
  if (!refused) return *made;
  counters_.refused += messages;
  return *refused;
}

Result<std::vector<Core::PutDone>> Core::put(const std::string& name,
                                             const std::vector<NewMessage>& messages) {
  if (auto bad = bad_name("channel", name)) return *bad;
  // Every question comes before the first change, so that a batch is stored whole or not at all.
  std::vector<PutDone> done(messages.size());
  std::map<std::string_view, std::size_t> first_of;  // dedup ids within this batch
  std::vector<std::size_t> same_as(messages.size());
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& message = messages[i];
    if (auto status = check(message); !status) {
      auto error = status.error();
      if (messages.size() > 1) error.detail = "message " + std::to_string(i) + ": " + error.detail;
      return error;
    }
    same_as[i] = i;
    if (!message.dedup_id.empty()) {
      if (const auto id = messages_.find_dedup(name, message.dedup_id, now_ms_)) {
        done[i] = {*id, true};
        continue;
      }
      same_as[i] = first_of.emplace(message.dedup_id, i).first->second;
      if (same_as[i] != i) continue;
    }
    ++count;
    bytes += message.body.size();
  }
  // A repeated message is known, however full the channel or the disk is meanwhile.
  const auto room = count == 0 ? Result<Channel*>(nullptr) : room_in(name, count, bytes);
  if (!room) return room.error();
  auto* channel = *room;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (same_as[i] != i) done[i] = {done[same_as[i]].id, true};
    if (done[i].duplicate) {
      ++counters_.duplicates;
      continue;
    }
    const auto& message = messages[i];
    done[i].id = store(*channel, message, {}, *delay_of(message.delay, message.at));
    if (message.dedup_id.empty()) continue;
    messages_.remember_dedup(name, message.dedup_id, done[i].id,
                             now_ms_ + channel->settings.dedup_window.count());
  }
  ledger_.want_sync();
  if (channel) serve(*channel);
  return done;
}

MessageId Core::store(Channel& channel, const NewMessage& message, std::string_view topic,
                      std::int64_t delay_ms) {
  const auto& settings = channel.settings;
  const auto id = messages_.next_id();
  Record record;
  record.priority = message.priority;
  record.received_at_ms = now_ms_;
  record.visibility_ms = message.visibility.value_or(settings.visibility).count();
  record.retention_ms = message.retention.value_or(settings.retention).count();
  record.deliveries_max = message.deliveries_max.value_or(settings.deliveries_max);
  record.body_bytes = message.body.size();
  record.topic = topic;
  record.content_type = message.content_type;
  if (record.retention_ms != 0) record.expires_at_ms = now_ms_ + record.retention_ms;
  if (delay_ms > 0) {
    record.state = MessageState::delayed;
    record.shown_at_ms = now_ms_ + delay_ms;
  }
  if (!record.body_apart()) record.body = message.body;
  messages_.add(channel, id, record, message.body);
  ++counters_.added;
  return id;
}

Result<Published> Core::publish(const std::string& topic, const Publication& publication) {
  if (auto bad = bad_name("topic", topic)) return *bad;
  NewMessage message{.body = publication.body,
                     .content_type = publication.content_type,
                     .delay = publication.delay,
                     .at = publication.at};
  const auto bytes = message.body.size();
  const auto room_error = [&](const std::string& name) -> std::optional<Error> {
    const auto room = room_in(name, 1, bytes);
    if (room) return std::nullopt;
    auto error = room.error();
    error.channel = name;
    return error;
  };
  const auto readers = topics_.readers(
      topic, [&](const Subscription& member) { return !room_error(member.channel); });
  Published published;
  if (readers.empty()) return published;
  if (auto status = check(message); !status) return status.error();
  if (bytes > Engine::kPublicationBytesMax / readers.size()) {
    return bad_argument("the message has " + std::to_string(bytes) + " bytes for " +
                        std::to_string(readers.size()) + " channels; the copies together have " +
                        std::to_string(Engine::kPublicationBytesMax) + " at most");
  }
  const auto delay_ms = *delay_of(message.delay, message.at);
  std::vector<const Subscription*> takers;
  for (const auto* reader : readers) {
    auto error = room_error(reader->channel);
    if (!error && passes(messages_.total().body_bytes, bytes * (takers.size() + 1),
                         options_.body_bytes_total_max)) {
      error = Error{.code = Errc::full,
                    .detail = "all channels together have no room for another copy",
                    .channel = reader->channel,
                    .present = messages_.total().body_bytes,
                    .limit = options_.body_bytes_total_max,
                    .of_bytes = true,
                    .of_all = true};
    }
    if (error) {
      published.refused.push_back(std::move(*error));
    } else {
      takers.push_back(reader);
    }
  }
  if (publication.all_or_nothing && !published.refused.empty()) return published;
  for (const auto* taker : takers) {
    message.priority = taker->priority;
    message.visibility = taker->visibility;
    message.deliveries_max = taker->deliveries_max;
    message.retention = taker->retention;
    auto& channel = channels_.make(taker->channel);
    published.taken.emplace(taker->channel, store(channel, message, topic, delay_ms));
    ++counters_.published;
  }
  // Serving looks into the store, which must have all copies or none.
  for (const auto* taker : takers) serve(channels_.make(taker->channel));
  ledger_.want_sync();
  return published;
}

}  // namespace rp::queue
