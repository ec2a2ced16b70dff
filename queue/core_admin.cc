// What operators ask and set.
#include <algorithm>

#include "queue/core.h"

namespace rp::queue {
namespace {

constexpr std::size_t kListedAtOnce = 1'000;
constexpr std::size_t kListedBytesAtOnce = 1'024 * 1'024;
constexpr std::size_t kScannedAtOnce = 256;
constexpr std::size_t kScannedBytesAtOnce = 1'024 * 1'024;
// A redrive looks at so many messages that it cannot move before it gives up.
constexpr std::size_t kRedriveLooks = 10'000;
// Linger lists a channel for three minutes after somebody waited there.
constexpr std::int64_t kListedAfterWait = 180'000;

ChannelStats stats_of(const Counts& counts) {
  return {.ready = counts.ready,
          .leased = counts.leased,
          .delayed = counts.delayed,
          .body_bytes = counts.body_bytes,
          .urgent = counts.urgent,
          .niced = counts.niced};
}

}  // namespace

Core::ListSlice Core::list(const std::string& name, ListPlace place, std::size_t limit,
                           std::size_t bytes_max) {
  ListSlice slice;
  slice.place = std::move(place);
  slice.finished = true;
  auto* channel = channels_.find(name);
  if (!channel || channel->number == 0) return slice;
  channel->used_at_ms = now_ms_;
  slice.finished = false;
  // Nothing moves in here, so nothing is missed and nothing comes twice.
  for (std::size_t looked = 0; !slice.finished && looked < Engine::kListMax;) {
    looked += list_some(*channel, limit, bytes_max, slice);
  }
  return slice;
}

std::size_t Core::list_some(Channel& channel, std::size_t limit, std::size_t bytes_max,
                            ListSlice& slice) {
  auto& place = slice.place;
  const auto table = place.hidden ? keys::Table::hidden : keys::Table::ready;
  const auto range = keys::of_channel(table, channel.number);
  // A purge meanwhile gives the channel another number: then this is its first key.
  const auto first = place.next < range.first ? range.first : place.next;
  const auto scanned = ledger_.scan(first, range.last, kListedAtOnce, kListedBytesAtOnce);
  for (const auto& entry : scanned.entries) {
    slice.finished = slice.listed.size() >= limit || slice.bytes >= bytes_max;
    if (slice.finished) return scanned.entries.size();
    place.next = keys::after(entry.key);
    auto found = listed(channel, entry, place.skip == 0);
    if (!found) continue;
    if (place.skip > 0) {
      --place.skip;
      continue;
    }
    slice.bytes += found->message.body.size();
    slice.listed.push_back(std::move(*found));
  }
  if (scanned.complete || scanned.entries.empty()) {
    slice.finished = place.hidden;
    place = {true, {}, place.skip};
  }
  return scanned.entries.size() + 1;
}

std::optional<Listed> Core::listed(Channel& channel, const Entry& entry, bool with_body) {
  const auto record = decode_record(entry.key, entry.value);
  const auto id = keys::id_at_end(entry.key);
  if (!record || !id) {
    ledger_.report_damage("a message", entry.key);
    return std::nullopt;
  }
  if (record->expires_at_ms != 0 && record->expires_at_ms <= now_ms_) return std::nullopt;
  if (!with_body) return Listed{};
  Card card;
  card.id = *id;
  card.channel = &channel;
  card.state = record->state;
  auto body = body_to_show(card, *record);
  if (!body) return std::nullopt;
  const bool ready = record->state == MessageState::ready;
  const auto left = ready ? 0 : std::max<std::int64_t>(record->shown_at_ms - now_ms_, 0);
  return Listed{message_of(card, *record, std::move(*body)), record->state, Milliseconds(left)};
}

std::optional<std::string> Core::body_to_show(const Card& card, const Record& record) {
  try {
    return messages_.peek_body(card, record);
  } catch (const Unreadable&) {
    return std::nullopt;
  }
}

Result<std::uint64_t> Core::purge(const std::string& name) {
  if (auto bad = bad_name("channel", name)) return *bad;
  auto* channel = channels_.find(name);
  if (!channel) return 0;
  channel->used_at_ms = now_ms_;
  const auto count = channel->counts.messages();
  if (count == 0) return 0;
  ++counters_.purges;
  messages_.purge(*channel);
  ledger_.want_sync();
  return count;
}

Status Core::pause(const std::string& name, bool paused) {
  if (auto bad = bad_name("channel", name)) return *bad;
  const auto made = make_channel(name);
  if (!made) return made.error();
  auto& channel = **made;
  if (channel.paused == paused) return {};
  channel.paused = paused;
  if (channel.number == 0) channels_.give_number(channel);
  channels_.record_changed(channel);
  ledger_.want_change();
  serve(channel);
  return {};
}

Status Core::set_settings(const std::string& name, const ChannelSettings& settings) {
  if (auto bad = bad_name("channel", name)) return *bad;
  if (!settings.dead_channel.empty()) {
    if (auto bad = bad_name("dead-letter channel", settings.dead_channel)) return *bad;
    if (settings.dead_channel == name) {
      return bad_argument("channel '" + name + "' cannot be its own dead-letter channel");
    }
  }
  const auto bad_visibility =
      bad_duration("visibility timeout", settings.visibility, Milliseconds(1));
  if (bad_visibility) return *bad_visibility;
  if (auto bad = bad_duration("retention", settings.retention, Milliseconds(0))) return *bad;
  if (auto bad = bad_duration("dedup window", settings.dedup_window, Milliseconds(1))) return *bad;
  const auto made = make_channel(name);
  if (!made) return made.error();
  auto& channel = **made;
  if (channel.settings == settings) return {};
  channel.settings = settings;
  if (channel.number == 0) channels_.give_number(channel);
  channels_.record_changed(channel);
  ledger_.want_change();
  return {};
}

Status Core::set_dead_channel(const std::string& name, const std::string& dead_channel) {
  auto settings = this->settings(name);
  if (!settings) return settings.error();
  settings->dead_channel = dead_channel;
  return set_settings(name, *settings);
}

Result<ChannelSettings> Core::settings(const std::string& name) {
  if (auto bad = bad_name("channel", name)) return *bad;
  const auto* channel = channels_.find(name);
  return channel ? channel->settings : ChannelSettings();
}

Result<std::uint64_t> Core::redrive(const std::string& name, std::size_t count_max) {
  if (auto bad = bad_name("channel", name)) return *bad;
  if (count_max == 0 || count_max > kBatchMax) {
    return bad_argument("the number of messages to redrive is " + std::to_string(count_max) +
                        "; accepted is 1 to " + std::to_string(kBatchMax));
  }
  if (no_additions_) return *no_additions_;
  std::uint64_t count = 0;
  auto* channel = channels_.find(name);
  if (!channel || channel->number == 0) return count;
  auto range = keys::of_channel(keys::Table::ready, channel->number);
  std::size_t looked = 0;
  for (bool complete = false; !complete && count < count_max && looked < kRedriveLooks;) {
    const auto scanned = ledger_.scan(range.first, range.last, kScannedAtOnce, kScannedBytesAtOnce);
    complete = scanned.complete || scanned.entries.empty();
    for (const auto& [key, value] : scanned.entries) {
      range.first = keys::after(key);
      ++looked;
      const auto id = keys::id_at_end(key);
      if (id && revive(*channel, *id) && ++count == count_max) break;
      ledger_.relieve();
    }
  }
  if (count != 0) ledger_.want_sync();
  return count;
}

Result<ChannelStats> Core::channel_stats(const std::string& name) {
  if (auto bad = bad_name("channel", name)) return *bad;
  const auto* channel = channels_.find(name);
  if (!channel) return ChannelStats();
  auto stats = stats_of(channel->counts);
  stats.waiters = channel->waiters.size();
  stats.paused = channel->paused;
  return stats;
}

EngineStats Core::stats() {
  EngineStats stats;
  stats.all = stats_of(messages_.total());
  stats.all.waiters = deadlines_.size();
  stats.all.paused = channels_.size() != 0;
  for (const auto& [name, channel] : channels_.by_name()) {
    if (is_listed(*channel)) ++stats.channels;
    if (!channel->paused) stats.all.paused = false;
  }
  stats.topics = topics_.topic_count();
  stats.subscriptions = topics_.size();
  stats.id_last = messages_.id_last();
  stats.store_bytes = store_.bytes();
  stats.counters = counters_;
  stats.counters.damaged = ledger_.damaged();
  stats.counters.commits = ledger_.commits();
  stats.counters.syncs = ledger_.syncs();
  return stats;
}

bool Core::is_listed(const Channel& channel) const {
  return channel.counts.messages() != 0 || channel.subscriptions != 0 ||
         channel.has_own_settings() || !channel.waiters.empty() ||
         (channel.waited_at_ms != 0 && now_ms_ - channel.waited_at_ms < kListedAfterWait);
}

std::vector<std::string> Core::channels() {
  std::vector<std::string> names;
  for (const auto& [name, channel] : channels_.by_name()) {
    if (is_listed(*channel)) names.push_back(name);
  }
  return names;
}

Status Core::subscribe(const Subscription& subscription) {
  if (auto bad = bad_name("topic", subscription.topic)) return *bad;
  if (auto bad = bad_name("channel", subscription.channel)) return *bad;
  if (subscription.group.size() > kGroupBytesMax) {
    return bad_argument("the group has more than " + std::to_string(kGroupBytesMax) + " bytes");
  }
  if (subscription.visibility) {
    const auto bad = bad_duration("visibility timeout", *subscription.visibility, Milliseconds(1));
    if (bad) return *bad;
  }
  if (subscription.retention) {
    const auto bad = bad_duration("retention", *subscription.retention, Milliseconds(0));
    if (bad) return *bad;
  }
  if (topics_.size() >= options_.subscriptions_max) {
    return Error{.code = Errc::overloaded,
                 .detail = "there are " + std::to_string(topics_.size()) +
                           " subscriptions, the most that the engine keeps"};
  }
  const auto made = make_channel(subscription.channel);
  if (!made) return made.error();
  if (topics_.subscribe(subscription, ledger_.batch())) {
    ++(*made)->subscriptions;
    ++counters_.subscriptions_added;
  }
  ledger_.want_sync();
  return {};
}

Result<bool> Core::unsubscribe(const std::string& topic, const std::string& channel) {
  if (auto bad = bad_name("topic", topic)) return *bad;
  if (auto bad = bad_name("channel", channel)) return *bad;
  if (!topics_.unsubscribe(topic, channel, ledger_.batch())) return false;
  if (auto* reader = channels_.find(channel)) --reader->subscriptions;
  ++counters_.subscriptions_removed;
  ledger_.want_sync();
  return true;
}

}  // namespace rp::queue
