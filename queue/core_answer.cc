// What consumers say about messages, and where messages go then.
#include <algorithm>

#include "queue/core.h"

namespace rp::queue {
namespace {

Error unknown(MessageId id) {
  return {.code = Errc::unknown_message, .detail = "there is no message " + std::to_string(id)};
}

}  // namespace

Result<Card> Core::find(MessageId id) {
  const auto card = messages_.find(id);
  const bool over = card && card->expires_at_ms != 0 && card->expires_at_ms <= now_ms_;
  if (!card || over) return unknown(id);
  card->channel->used_at_ms = now_ms_;
  return *card;
}

Result<Card> Core::find_leased(const Lease& lease) {
  auto card = find(lease.id);
  if (!card) return card;
  const bool held = card->state == MessageState::leased && card->token == lease.token &&
                    card->shown_at_ms > now_ms_;
  if (held) return card;
  return Error{.code = Errc::stale_lease,
               .detail = "message " + std::to_string(lease.id) + " is no longer leased as " +
                         to_text(lease)};
}

Result<Record> Core::record_of(const Card& card) {
  auto record = messages_.read(card);
  if (!record) return unknown(card.id);
  return std::move(*record);
}

Status Core::remove(MessageId id) {
  const auto card = find(id);
  if (!card) return card.error();
  ++counters_.acknowledged;
  messages_.erase(*card);
  ledger_.want_sync();
  return {};
}

Status Core::ack(const Lease& lease) {
  const auto card = find_leased(lease);
  if (!card) return card.error();
  ++counters_.acknowledged;
  messages_.erase(*card);
  ledger_.want_sync();
  return {};
}

Status Core::touch(MessageId id) {
  const auto card = find(id);
  if (!card) return card.error();
  auto record = record_of(*card);
  if (!record) return record.error();
  ++counters_.touched;
  const auto state =
      card->state == MessageState::leased ? MessageState::leased : MessageState::delayed;
  const auto until = now_ms_ + record->visibility_ms;
  hide(*card, std::move(*record), state, until);
  return {};
}

Status Core::extend(const Lease& lease, std::optional<Milliseconds> length) {
  if (length) {
    if (auto bad = bad_duration("lease", *length, Milliseconds(1))) return *bad;
  }
  const auto card = find_leased(lease);
  if (!card) return card.error();
  auto record = record_of(*card);
  if (!record) return record.error();
  ++counters_.touched;
  const auto until = now_ms_ + (length ? length->count() : record->visibility_ms);
  hide(*card, std::move(*record), MessageState::leased, until);
  return {};
}

Status Core::nack(const Lease& lease, const NackOptions& options) {
  if (auto bad = bad_duration("delay", options.delay, Milliseconds(0))) return *bad;
  const auto card = find_leased(lease);
  if (!card) return card.error();
  auto record = record_of(*card);
  if (!record) return record.error();
  ledger_.want_sync();
  if (options.undelivered) {
    ++counters_.given_back;
    record->delivered -= std::min<std::uint32_t>(record->delivered, 1);
  } else {
    ++counters_.nacked;
  }
  if (options.reject) {
    bury(*card, std::move(*record), DeathReason::rejected);
  } else if (options.delay > Milliseconds(0)) {
    const auto until = now_ms_ + options.delay.count();
    hide(*card, std::move(*record), MessageState::delayed, until);
  } else {
    end_delivery(*card, std::move(*record));
  }
  return {};
}

void Core::give_back(const std::vector<Lease>& leases) {
  for (const auto& lease : leases) {
    try {
      static_cast<void>(nack(lease, {.undelivered = true}));
    } catch (const Unreadable&) {
      // The lease ends by itself.
    }
  }
}

void Core::hide(const Card& card, Record record, MessageState state, std::int64_t until_ms) {
  record.state = state;
  record.shown_at_ms = until_ms;
  if (state == MessageState::delayed) record.token = 0;
  messages_.move(card, record);
}

void Core::show(const Card& card, Record record) {
  record.state = MessageState::ready;
  record.shown_at_ms = 0;
  record.token = 0;
  messages_.move(card, record);
  serve(*card.channel);
}

void Core::end_delivery(const Card& card, Record record) {
  const bool used_up = record.deliveries_max != 0 && record.delivered >= record.deliveries_max;
  if (used_up) return bury(card, std::move(record), DeathReason::delivery_limit);
  show(card, std::move(record));
}

void Core::bury(const Card& card, Record record, DeathReason reason) {
  const auto& name = card.channel->settings.dead_channel;
  Channel* grave = nullptr;
  if (!name.empty() && name != card.channel->name) {
    // The bound of channels is no reason to lose a message.
    const auto made = make_channel(name);
    grave = made ? *made : &channels_.make(name);
  }
  if (!grave) {
    ++counters_.dropped;
    return messages_.erase(card);
  }
  if (record.deaths.size() >= kDeathsKept) record.deaths.erase(record.deaths.begin());
  record.deaths.push_back({.channel = card.channel->name,
                           .reason = reason,
                           .died_at = wall_of(now_ms_),
                           .delivered = record.delivered,
                           .deliveries_max = record.deliveries_max,
                           .retention = Milliseconds(record.retention_ms)});
  // A dead letter waits for somebody to look at it, however often and however late.
  record.deliveries_max = 0;
  record.retention_ms = 0;
  if (move_over(card, *grave, record)) ++counters_.dead_lettered;
}

bool Core::revive(const Channel& grave, MessageId id) try {
  const auto card = messages_.find(id);
  const bool here = card && card->channel == &grave && card->state == MessageState::ready;
  auto record = here ? messages_.read(*card) : std::nullopt;
  if (!record || record->deaths.empty()) return false;
  const auto death = record->deaths.back();
  if (death.channel == grave.name) return false;  // an earlier redrive has brought it home
  const auto home = make_channel(death.channel);
  if (!home || over_limit(**home, 1, record->body_bytes)) return false;
  record->deliveries_max = death.deliveries_max;
  record->retention_ms = death.retention.count();
  if (!move_over(*card, **home, *record)) return false;
  ++counters_.redriven;
  return true;
} catch (const Unreadable&) {
  return false;
}

bool Core::move_over(const Card& card, Channel& target, const Record& record) {
  auto body = messages_.read_body(card, record);
  if (!body) return false;
  auto arrived = record;
  arrived.state = MessageState::ready;
  arrived.shown_at_ms = 0;
  arrived.token = 0;
  arrived.delivered = 0;
  arrived.expires_at_ms = record.retention_ms == 0 ? 0 : now_ms_ + record.retention_ms;
  messages_.erase(card);
  messages_.add(target, card.id, arrived, *body);
  serve(target);
  return true;
}

}  // namespace rp::queue
