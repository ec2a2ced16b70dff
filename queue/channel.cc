#include "queue/channel.h"

#include <algorithm>
#include <cassert>
#include <iterator>

namespace rp::queue {

Outcome Channel::put(Message message, Duration delay, TimePoint now) {
  pass_time(now);
  const auto bytes = message.body.size();
  const auto held = entries_.size() + dead_.size();
  if (limits_.messages_max != 0 && held >= limits_.messages_max) return Outcome::full;
  if (limits_.body_bytes_max != 0 &&
      (bytes > limits_.body_bytes_max || body_bytes_ > limits_.body_bytes_max - bytes)) {
    return Outcome::full;
  }
  const auto id = message.id;
  if (message.expires_at) expiring_.emplace(*message.expires_at, id);
  const auto [place, added] = entries_.emplace(id, Entry{std::move(message)});
  assert(added);
  body_bytes_ += bytes;
  if (delay > Duration::zero()) {
    hide(place->second, State::delayed, now + delay);
  } else {
    show(place->second);
  }
  return Outcome::done;
}

std::optional<Delivery> Channel::take(TimePoint now) {
  pass_time(now);
  if (ready_.empty()) return std::nullopt;
  auto& entry = entries_.find(ready_.begin()->second)->second;
  unlist(entry);
  ++entry.message.delivered;
  entry.lease = ++lease_last_;
  hide(entry, State::leased, now + entry.message.visibility);
  return Delivery{entry.message, entry.lease};
}

Outcome Channel::remove(std::uint64_t id, TimePoint now) {
  pass_time(now);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return Outcome::unknown;
  erase(found);
  return Outcome::done;
}

Outcome Channel::ack(std::uint64_t id, std::uint64_t lease, TimePoint now) {
  pass_time(now);
  const auto [outcome, found] = find_leased(id, lease);
  if (outcome == Outcome::done) erase(found);
  return outcome;
}

Outcome Channel::nack(std::uint64_t id, std::uint64_t lease, Duration delay, TimePoint now) {
  pass_time(now);
  const auto [outcome, found] = find_leased(id, lease);
  if (outcome != Outcome::done) return outcome;
  unlist(found->second);
  found->second.lease = 0;
  // Without a delay it is due now: passing time decides between ready and dead in one place.
  hide(found->second, State::delayed, now + std::max(delay, Duration::zero()));
  pass_time(now);
  return Outcome::done;
}

Outcome Channel::touch(std::uint64_t id, std::uint64_t lease, TimePoint now) {
  pass_time(now);
  const auto [outcome, found] = find_leased(id, lease);
  if (outcome != Outcome::done) return outcome;
  unlist(found->second);
  hide(found->second, State::leased, now + found->second.message.visibility);
  return Outcome::done;
}

std::vector<Message> Channel::peek(std::size_t offset, std::size_t limit, TimePoint now) {
  pass_time(now);
  std::vector<Message> seen;
  if (offset >= ready_.size()) return seen;
  auto place = std::next(ready_.begin(), static_cast<std::ptrdiff_t>(offset));
  for (; place != ready_.end() && seen.size() < limit; ++place) {
    seen.push_back(entries_.find(place->second)->second.message);
  }
  return seen;
}

std::size_t Channel::purge() {
  const auto count = entries_.size() + dead_.size();
  entries_.clear();
  ready_.clear();
  hidden_.clear();
  expiring_.clear();
  dead_.clear();
  body_bytes_ = 0;
  return count;
}

ChannelStats Channel::stats(TimePoint now) {
  pass_time(now);
  return {ready_.size(), hidden_.size(), body_bytes_};
}

std::vector<Message> Channel::collect_dead(TimePoint now) {
  pass_time(now);
  for (const auto& message : dead_) body_bytes_ -= message.body.size();
  return std::exchange(dead_, {});
}

std::optional<TimePoint> Channel::next_change() const {
  std::optional<TimePoint> next;
  if (!hidden_.empty()) next = hidden_.begin()->first;
  if (!expiring_.empty() && (!next || expiring_.begin()->first < *next)) {
    next = expiring_.begin()->first;
  }
  return next;
}

void Channel::pass_time(TimePoint now) {
  while (!expiring_.empty() && expiring_.begin()->first <= now) {
    erase(entries_.find(expiring_.begin()->second));
  }
  while (!hidden_.empty() && hidden_.begin()->first <= now) {
    const auto found = entries_.find(hidden_.begin()->second);
    auto& entry = found->second;
    unlist(entry);
    entry.lease = 0;
    show(entry);
    const auto& message = entry.message;
    if (message.deliveries_max == 0 || message.delivered < message.deliveries_max) continue;
    dead_.push_back(message);
    body_bytes_ += message.body.size();  // erase() takes the same off
    erase(found);
  }
}

void Channel::show(Entry& entry) {
  entry.state = State::ready;
  ready_.emplace(entry.message.priority, entry.message.id);
}

void Channel::hide(Entry& entry, State state, TimePoint until) {
  entry.state = state;
  entry.shown_at = until;
  hidden_.emplace(until, entry.message.id);
}

void Channel::unlist(const Entry& entry) {
  if (entry.state == State::ready) {
    ready_.erase({entry.message.priority, entry.message.id});
  } else {
    hidden_.erase({entry.shown_at, entry.message.id});
  }
}

void Channel::erase(Entries::iterator found) {
  const auto& message = found->second.message;
  unlist(found->second);
  if (message.expires_at) expiring_.erase({*message.expires_at, message.id});
  body_bytes_ -= message.body.size();
  entries_.erase(found);
}

std::pair<Outcome, Channel::Entries::iterator> Channel::find_leased(std::uint64_t id,
                                                                    std::uint64_t lease) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return {Outcome::unknown, found};
  const auto& entry = found->second;
  const bool held = entry.state == State::leased && entry.lease == lease;
  return {held ? Outcome::done : Outcome::stale_lease, found};
}

}  // namespace rp::queue
