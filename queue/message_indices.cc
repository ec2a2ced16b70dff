// The orders of the message table: what is first, what is due, and what a purge leaves behind.
#include <algorithm>
#include <cassert>
#include <functional>
#include <utility>
#include <vector>

#include "queue/message_table.h"

namespace rp::queue {
namespace {

constexpr std::size_t kReadyRefillBytes = 128 * 1'024;
constexpr std::size_t kDueRefill = 4'096;
constexpr std::size_t kDueRefillBytes = 1'024 * 1'024;
// A purge of fewer deletes them one by one, which leaves nothing behind.
constexpr std::size_t kPurgedOneByOneMax = 1'000;
constexpr std::size_t kPurgedBytesMax = 8 * 1'024 * 1'024;  // 1,000 records with every field full
constexpr std::string_view kIdLast = "id_last";
constexpr std::string_view kSweepFrom = "sweep_from";
constexpr std::string_view kSweepTo = "sweep_to";

/// Reads one number of the store; absent is zero. False if it is damaged.
bool load_number(Store& store, std::string_view name, std::uint64_t& number) {
  const auto key = keys::meta(name);
  const auto value = store.get(key);
  if (!value) return false;
  if (!*value) return true;
  const auto decoded = decode_number(key, **value);
  if (decoded) number = *decoded;
  return decoded.has_value();
}

void put_number(Batch& batch, std::string_view name, std::uint64_t number) {
  const auto key = keys::meta(name);
  batch.put(key, encode_number(key, number));
}

void add_up(Counts& sum, const Counts& counts, bool more) {
  const auto add = [more](std::uint64_t& to, std::uint64_t by) {
    to = more ? to + by : to - std::min(to, by);
  };
  add(sum.ready, counts.ready);
  add(sum.leased, counts.leased);
  add(sum.delayed, counts.delayed);
  add(sum.body_bytes, counts.body_bytes);
  add(sum.urgent, counts.urgent);
  add(sum.niced, counts.niced);
}

}  // namespace

std::optional<MessageTable::Ready> MessageTable::first_ready(Channel& channel) {
  for (;;) {
    if (channel.ready.is_short()) refill(channel);
    if (channel.ready.held().empty()) {
      if (channel.ready.complete()) return std::nullopt;
      continue;
    }
    const auto& [place, value] = *channel.ready.held().begin();
    const auto key = keys::ready(channel.number, place);
    auto record = decode_record(key, value);
    if (record) {
      auto card = card_of(channel, place.id, *record);
      return Ready{std::move(card), std::move(*record)};
    }
    const auto damaged = value;
    Card card;
    card.id = place.id;
    card.channel = &channel;
    card.priority = place.priority;
    const auto id_key = keys::id(place.id);
    const auto stored = ledger_.get(id_key, place.id);
    const auto whereabouts = stored ? decode_whereabouts(id_key, *stored) : std::nullopt;
    if (whereabouts) card.body_bytes = whereabouts->body_bytes;
    put_away(card, key, damaged);
  }
}

void MessageTable::pass_over_first(Channel& channel) {
  channel.ready.erase(channel.ready.held().begin()->first);
}

void MessageTable::look_again() {
  for (const auto& [name, channel] : channels_.by_name()) {
    if (channel->number != 0) channel->ready = Window<keys::Place>::unknown();
  }
  hidden_ = expiry_ = dedup_ = TimeWindow::unknown();
}

void MessageTable::refill(Channel& channel) {
  auto& window = channel.ready;
  const auto range = keys::of_channel(keys::Table::ready, channel.number);
  const auto& border = window.border();
  const auto first = border ? keys::after(keys::ready(channel.number, *border)) : range.first;
  auto scanned = ledger_.scan(first, range.last, ready_held_max() / 2, kReadyRefillBytes);
  Window<keys::Place>::Map entries;
  std::optional<keys::Place> last;
  for (auto& [key, value] : scanned.entries) {
    const auto place = keys::place_of_ready(key);
    if (!place) continue;
    entries.emplace_hint(entries.end(), *place, std::move(value));
    last = place;
  }
  const bool complete = scanned.complete || entries.empty();
  window.refill(std::move(entries), last, complete);
}

std::size_t MessageTable::ready_held_max() const {
  const auto channels = std::max<std::size_t>(channels_.size(), 1);
  return std::clamp(kReadyHeldByAll / channels, kReadyHeldMin, kReadyHeldMax);
}

MessageTable::TimeWindow& MessageTable::window_of(keys::Table table) {
  return const_cast<TimeWindow&>(std::as_const(*this).window_of(table));
}

const MessageTable::TimeWindow& MessageTable::window_of(keys::Table table) const {
  switch (table) {
    case keys::Table::hidden_until:
      return hidden_;
    case keys::Table::expiry:
      return expiry_;
    default:
      assert(table == keys::Table::dedup_expiry);
      return dedup_;
  }
}

void MessageTable::refill(keys::Table table) {
  auto& window = window_of(table);
  const auto range = keys::all(table);
  const auto& border = window.border();
  const auto first = border ? keys::after(keys::due(table, *border)) : range.first;
  auto scanned = ledger_.scan(first, range.last, kDueRefill, kDueRefillBytes);
  TimeWindow::Map entries;
  std::optional<keys::Due> last;
  for (auto& [key, value] : scanned.entries) {
    const auto due = keys::due_of(key);
    if (!due) continue;
    entries.emplace_hint(entries.end(), *due, std::move(value));
    last = due;
  }
  const bool complete = scanned.complete || entries.empty();
  window.refill(std::move(entries), last, complete);
}

std::optional<keys::Due> MessageTable::first_due(keys::Table table, std::int64_t now_ms) {
  auto& window = window_of(table);
  while (window.is_short()) refill(table);
  if (window.held().empty()) return std::nullopt;
  const auto due = window.held().begin()->first;
  if (due.time_ms > now_ms) return std::nullopt;
  return due;
}

std::optional<std::int64_t> MessageTable::next_due(keys::Table table) const {
  const auto& window = window_of(table);
  if (window.is_short()) return 0;  // nobody knows before it is refilled
  if (window.held().empty()) return std::nullopt;
  return window.held().begin()->first.time_ms;
}

void MessageTable::drop_due(keys::Table table, keys::Due due) {
  ledger_.batch().erase(keys::due(table, due));
  window_of(table).erase(due);
}

void MessageTable::remember_dedup(std::string_view channel, std::string_view dedup_id, MessageId id,
                                  std::int64_t until_ms) {
  auto& batch = ledger_.batch();
  const auto key = keys::dedup(channel, dedup_id);
  ledger_.changed(std::hash<std::string>{}(key));
  // The end of the window tells an entry that is over from one that was made anew.
  batch.put(key, encode(key, Whereabouts{id, until_ms, 0}));
  const keys::Due due{until_ms, id};
  const auto due_key = keys::due(keys::Table::dedup_expiry, due);
  batch.put(due_key, key);
  dedup_.add(due, key, kDueHeldMax);
}

std::optional<MessageId> MessageTable::find_dedup(std::string_view channel,
                                                  std::string_view dedup_id, std::int64_t now_ms) {
  const auto key = keys::dedup(channel, dedup_id);
  // The hash stands for an id: a number that two share costs a look into the store, no more.
  const auto value = ledger_.get(key, std::hash<std::string>{}(key));
  if (!value) return std::nullopt;
  const auto found = decode_whereabouts(key, *value);
  if (!found) ledger_.report_damage("a dedup id", key);
  if (!found || found->priority <= now_ms) return std::nullopt;
  return found->number;
}

void MessageTable::forget_dedup(keys::Due due) {
  const auto held = dedup_.held().find(due);
  if (held != dedup_.held().end()) {
    const auto key = held->second;
    const auto value = ledger_.get(key, std::hash<std::string>{}(key));
    const auto found = value ? decode_whereabouts(key, *value) : std::nullopt;
    if (found && found->number == due.id) ledger_.batch().erase(key);
  }
  drop_due(keys::Table::dedup_expiry, due);
}

void MessageTable::purge(Channel& channel) {
  if (channel.counts.messages() <= kPurgedOneByOneMax) purge_each(channel);
  // Damaged records are not found one by one.
  if (channel.counts.messages() != 0) purge_at_once(channel);
}

void MessageTable::purge_each(Channel& channel) {
  std::vector<Card> cards;
  for (const auto table : {keys::Table::ready, keys::Table::hidden}) {
    const auto range = keys::of_channel(table, channel.number);
    const auto scanned = ledger_.scan(range.first, range.last, kPurgedOneByOneMax, kPurgedBytesMax);
    for (const auto& [key, value] : scanned.entries) {
      const auto record = decode_record(key, value);
      const auto id = keys::id_at_end(key);
      if (record && id) cards.push_back(card_of(channel, *id, *record));
    }
  }
  for (const auto& card : cards) erase(card);
}

void MessageTable::purge_at_once(Channel& channel) {
  auto& counts = channel.counts;
  const auto old = channel.number;
  auto& batch = ledger_.batch();
  for (const auto table : {keys::Table::ready, keys::Table::hidden, keys::Table::body}) {
    const auto range = keys::of_channel(table, old);
    batch.erase_range(range.first, range.last);
  }
  batch.erase(keys::counts(old));
  std::erase_if(hidden_cards_, [&](const auto& held) { return held.second.channel == &channel; });
  if (total_.messages() == counts.messages()) {
    const auto range = keys::all(keys::Table::id);
    batch.erase_range(range.first, range.last);
    sweep_to_ = 0;
  } else {
    sweep_to_ = id_last_;
  }
  sweep_from_ = 0;
  sweep_changed_ = true;
  add_up(total_, counts, false);
  counts = {};
  channel.ready = {};
  channels_.give_number(channel);
}

bool MessageTable::sweep(std::size_t count_max) {
  if (sweep_to_ == 0) return false;
  const auto scanned = ledger_.scan(keys::id(sweep_from_), keys::after(keys::id(sweep_to_)),
                                    count_max, kDueRefillBytes);
  for (const auto& [key, value] : scanned.entries) {
    const auto whereabouts = decode_whereabouts(key, value);
    if (whereabouts && !channels_.find(whereabouts->number)) ledger_.batch().erase(key);
    if (const auto id = keys::id_of_id(key)) sweep_from_ = *id + 1;
  }
  if (scanned.complete) sweep_from_ = sweep_to_ = 0;
  sweep_changed_ = true;
  return sweep_to_ != 0;
}

void MessageTable::write_changes(Batch& batch) {
  if (std::exchange(id_stored_, id_last_) != id_last_) put_number(batch, kIdLast, id_last_);
  if (!std::exchange(sweep_changed_, false)) return;
  put_number(batch, kSweepFrom, sweep_from_);
  put_number(batch, kSweepTo, sweep_to_);
}

bool MessageTable::load(Store& store, std::string& what) {
  what = "the last id";
  if (!load_number(store, kIdLast, id_last_)) return false;
  id_stored_ = id_last_;
  what = "the end of a purge";
  if (!load_number(store, kSweepFrom, sweep_from_)) return false;
  if (!load_number(store, kSweepTo, sweep_to_)) return false;
  for (const auto& [name, channel] : channels_.by_name()) add_up(total_, channel->counts, true);
  hidden_ = expiry_ = dedup_ = TimeWindow::unknown();
  return true;
}

void MessageTable::clear() {
  hidden_ = expiry_ = dedup_ = TimeWindow::unknown();
  hidden_cards_.clear();
  total_ = {};
  id_last_ = id_stored_ = sweep_from_ = sweep_to_ = 0;
  sweep_changed_ = false;
}

}  // namespace rp::queue
