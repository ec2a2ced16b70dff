#include "queue/message_table.h"

#include <algorithm>
#include <utility>

namespace rp::queue {
namespace {

// Some 8 MB: messages whose answer needs no look into the store.
constexpr std::size_t kCardsHeldMax = 65'536;

std::uint64_t moved(std::uint64_t value, std::uint64_t by, bool more) {
  // A count never wraps, even if damaged records have made it too small.
  return more ? value + by : value - std::min(value, by);
}

}  // namespace

void MessageTable::add(Channel& channel, MessageId id, const Record& record,
                       std::string_view body) {
  if (channel.number == 0) channels_.give_number(channel);
  auto& batch = ledger_.batch();
  const auto id_key = keys::id(id);
  batch.put(id_key,
            encode(id_key, Whereabouts{channel.number, record.priority, record.body_bytes}));
  if (record.body_apart()) {
    const auto key = keys::body(channel.number, id);
    batch.put(key, sealed(key, body));
  }
  if (record.expires_at_ms != 0) {
    const keys::Due due{record.expires_at_ms, id};
    batch.put(keys::due(keys::Table::expiry, due), {});
    expiry_.add(due, {}, kDueHeldMax);
  }
  list(channel, id, record);
}

void MessageTable::erase(const Card& card) {
  unlist(card);
  auto& batch = ledger_.batch();
  batch.erase(keys::id(card.id));
  if (card.body_bytes > kInlineBodyMax) batch.erase(keys::body(card.channel->number, card.id));
  if (card.expires_at_ms != 0) drop_due(keys::Table::expiry, {card.expires_at_ms, card.id});
}

void MessageTable::move(const Card& card, const Record& record) {
  unlist(card);
  list(*card.channel, card.id, record);
}

void MessageTable::list(Channel& channel, MessageId id, const Record& record) {
  auto& batch = ledger_.batch();
  ledger_.changed(id);
  if (record.state == MessageState::ready) {
    const keys::Place place{record.priority, id};
    const auto key = keys::ready(channel.number, place);
    auto value = encode(key, record);
    batch.put(key, value);
    channel.ready.add(place, std::move(value), ready_held_max());
  } else {
    const auto key = keys::hidden(channel.number, id);
    batch.put(key, encode(key, record));
    const keys::Due due{record.shown_at_ms, id};
    batch.put(keys::due(keys::Table::hidden_until, due), {});
    hidden_.add(due, {}, kDueHeldMax);
    remember(card_of(channel, id, record));
  }
  count(channel, record.state, record.priority, record.body_bytes, true);
}

void MessageTable::unlist(const Card& card) {
  auto& batch = ledger_.batch();
  auto& channel = *card.channel;
  ledger_.changed(card.id);
  if (card.state == MessageState::ready) {
    const keys::Place place{card.priority, card.id};
    batch.erase(keys::ready(channel.number, place));
    channel.ready.erase(place);
  } else {
    batch.erase(keys::hidden(channel.number, card.id));
    drop_due(keys::Table::hidden_until, {card.shown_at_ms, card.id});
    hidden_cards_.erase(card.id);
  }
  count(channel, card.state, card.priority, card.body_bytes, false);
}

void MessageTable::count(Channel& channel, MessageState state, std::int64_t priority,
                         std::uint64_t bytes, bool more) {
  for (auto* counts : {&channel.counts, &total_}) {
    auto& of_state = state == MessageState::ready    ? counts->ready
                     : state == MessageState::leased ? counts->leased
                                                     : counts->delayed;
    of_state = moved(of_state, 1, more);
    counts->body_bytes = moved(counts->body_bytes, bytes, more);
    if (priority < 0) counts->urgent = moved(counts->urgent, 1, more);
    if (priority > 0) counts->niced = moved(counts->niced, 1, more);
  }
  channels_.counts_changed(channel);
}

Card MessageTable::card_of(Channel& channel, MessageId id, const Record& record) const {
  return {id,
          &channel,
          record.state,
          record.priority,
          record.shown_at_ms,
          record.expires_at_ms,
          record.token,
          record.body_bytes};
}

void MessageTable::remember(const Card& card) {
  // Any one may go: it is found in the store again.
  if (hidden_cards_.size() >= kCardsHeldMax) hidden_cards_.erase(hidden_cards_.begin());
  hidden_cards_.insert_or_assign(card.id, card);
}

std::optional<Card> MessageTable::find(MessageId id) {
  const auto held = hidden_cards_.find(id);
  if (held != hidden_cards_.end()) return held->second;
  const auto id_key = keys::id(id);
  const auto value = ledger_.get(id_key, id);
  if (!value) return std::nullopt;
  const auto whereabouts = decode_whereabouts(id_key, *value);
  if (!whereabouts) {
    ledger_.report_damage("where a message is", id_key);
    return std::nullopt;
  }
  auto* channel = channels_.find(whereabouts->number);
  if (!channel) return std::nullopt;  // purged
  const auto ready_key = keys::ready(channel->number, {whereabouts->priority, id});
  const auto hidden_key = keys::hidden(channel->number, id);
  for (const auto& key : {ready_key, hidden_key}) {
    const auto stored = ledger_.get(key, id);
    if (!stored) continue;
    const auto record = decode_record(key, *stored);
    if (record) return card_of(*channel, id, *record);
    Card damaged;
    damaged.id = id;
    damaged.channel = channel;
    damaged.state = key == ready_key ? MessageState::ready : MessageState::leased;
    damaged.priority = whereabouts->priority;
    damaged.body_bytes = whereabouts->body_bytes;
    put_away(damaged, key, *stored);
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Record> MessageTable::read(const Card& card) {
  const auto number = card.channel->number;
  const auto key = card.state == MessageState::ready ? keys::ready(number, {card.priority, card.id})
                                                     : keys::hidden(number, card.id);
  const auto value = ledger_.get(key, card.id);
  if (!value) return std::nullopt;
  auto record = decode_record(key, *value);
  if (!record) put_away(card, key, *value);
  return record;
}

std::optional<std::string> MessageTable::read_body(const Card& card, const Record& record) {
  auto body = peek_body(card, record);
  if (body) return body;
  const auto key = keys::body(card.channel->number, card.id);
  put_away(card, key, ledger_.get(key, card.id).value_or(std::string()));
  return std::nullopt;
}

std::optional<std::string> MessageTable::peek_body(const Card& card, const Record& record) {
  if (!record.body_apart()) return record.body;
  const auto key = keys::body(card.channel->number, card.id);
  const auto value = ledger_.get(key, card.id);
  const auto body = value ? unsealed(key, *value) : std::nullopt;
  if (!body || body->size() != record.body_bytes) return std::nullopt;
  return std::string(*body);
}

void MessageTable::put_away(const Card& card, std::string_view key, std::string_view value) {
  ledger_.report_damage("a message", key);
  ledger_.batch().put(keys::quarantine(key), value);
  erase(card);
}

}  // namespace rp::queue
