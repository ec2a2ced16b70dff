// How messages get to those who take them.
#include "queue/core.h"

namespace rp::queue {

void Core::take(const std::shared_ptr<Waiting>& waiting) {
  const auto& options = waiting->options;
  waiting->is_new = true;
  new_waiters_.push_back(waiting);
  const auto answer = [&](Result<std::vector<Delivery>> result) {
    served_.push_back({waiting, std::move(result)});
  };
  if (waiting->is_cancelled()) return answer(std::vector<Delivery>());
  if (auto bad = bad_name("channel", waiting->channel)) return answer(*bad);
  if (options.count_max == 0 || options.count_max > kBatchMax) {
    return answer(bad_argument("the number of messages to take is " +
                               std::to_string(options.count_max) + "; accepted is 1 to " +
                               std::to_string(kBatchMax)));
  }
  if (options.lease) {
    if (auto bad = bad_duration("lease", *options.lease, Milliseconds(1))) return answer(*bad);
  }
  if (auto bad = bad_duration("time to wait", options.wait, Milliseconds(0))) return answer(*bad);
  auto* channel = channels_.find(waiting->channel);
  if (channel) {
    channel->used_at_ms = now_ms_;
    // A line means that nothing is ready for those before, so there is nothing for this one.
    if (channel->waiters.empty() && !channel->paused) {
      auto result = lease_some(*channel, options);
      if (!result || !result->empty()) return answer(std::move(result));
    }
  }
  if (options.wait == Milliseconds(0)) return answer(std::vector<Delivery>());
  if (deadlines_.size() >= options_.waiters_max) {
    return answer(Error{.code = Errc::overloaded,
                        .detail = std::to_string(deadlines_.size()) +
                                  " takers wait, the most that the engine keeps"});
  }
  if (const auto made = make_channel(waiting->channel); !made) return answer(made.error());
  waiting->deadline_ms = now_ms_ + options.wait.count();
  wait(waiting, false);
}

void Core::wait(const std::shared_ptr<Waiting>& waiting, bool in_front) {
  auto& channel = channels_.make(waiting->channel);
  auto& line = channel.waiters;
  waiting->place = line.insert(in_front ? line.begin() : line.end(), waiting);
  waiting->queued = true;
  channel.waited_at_ms = now_ms_;
  deadlines_.emplace(waiting->deadline_ms, waiting);
}

void Core::stop_waiting(const std::shared_ptr<Waiting>& waiting) {
  auto* channel = channels_.find(waiting->channel);
  channel->waiters.erase(waiting->place);
  channel->used_at_ms = channel->waited_at_ms = now_ms_;
  waiting->queued = false;
  deadlines_.erase({waiting->deadline_ms, waiting});
}

bool Core::leave(const std::shared_ptr<Waiting>& waiting) {
  if (!waiting->queued) return false;
  stop_waiting(waiting);
  return true;
}

std::vector<std::shared_ptr<Waiting>> Core::leave_all() {
  std::vector<std::shared_ptr<Waiting>> left;
  while (!deadlines_.empty()) {
    left.push_back(deadlines_.begin()->second);
    stop_waiting(left.back());
  }
  return left;
}

void Core::serve(Channel& channel) {
  while (!channel.waiters.empty() && !channel.paused) {
    auto waiting = channel.waiters.front();
    if (waiting->is_cancelled()) {
      // Its cancellation is on the way here; until it comes, it must not hold up the line.
      stop_waiting(waiting);
      served_.push_back({std::move(waiting), std::vector<Delivery>()});
      continue;
    }
    auto result = lease_some(channel, waiting->options);
    if (result && result->empty()) return;
    stop_waiting(waiting);
    served_.push_back({std::move(waiting), std::move(result)});
  }
}

Result<std::vector<Delivery>> Core::lease_some(Channel& channel, const TakeOptions& options) {
  std::vector<Delivery> deliveries;
  std::size_t bytes = 0;
  while (deliveries.size() < options.count_max && bytes < Engine::kListBytesMax) {
    auto delivery = lease_first(channel, options);
    if (!delivery) break;
    bytes += delivery->message.body.size();
    deliveries.push_back(std::move(*delivery));
  }
  return deliveries;
}

std::optional<Delivery> Core::lease_first(Channel& channel, const TakeOptions& options) {
  for (;;) {
    try {
      return lease_readable(channel, options);
    } catch (const Unreadable&) {
      messages_.pass_over_first(channel);
    }
  }
}

std::optional<Delivery> Core::lease_readable(Channel& channel, const TakeOptions& options) {
  while (auto ready = messages_.first_ready(channel)) {
    auto& [card, record] = *ready;
    if (record.expires_at_ms != 0 && record.expires_at_ms <= now_ms_) {
      ++counters_.expired;
      messages_.erase(card);
      continue;
    }
    auto body = messages_.read_body(card, record);
    if (!body) continue;
    const auto length = options.lease ? options.lease->count() : record.visibility_ms;
    record.state = MessageState::leased;
    record.shown_at_ms = now_ms_ + length;
    ++record.delivered;
    do {
      record.token = random_();
    } while (record.token == 0);
    messages_.move(card, record);
    leased_.push_back({card.id, record.token});
    ++counters_.delivered;
    if (options_.sync_takes) ledger_.want_sync();
    return Delivery{
        message_of(card, record, std::move(*body)), {card.id, record.token}, Milliseconds(length)};
  }
  return std::nullopt;
}

Message Core::message_of(const Card& card, const Record& record, std::string body) const {
  Message message;
  message.id = card.id;
  message.channel = card.channel->name;
  message.topic = record.topic;
  message.priority = record.priority;
  message.content_type = record.content_type;
  message.body = std::move(body);
  message.visibility = Milliseconds(record.visibility_ms);
  message.deliveries_max = record.deliveries_max;
  message.retention = Milliseconds(record.retention_ms);
  message.received_at = wall_of(record.received_at_ms);
  message.age = Milliseconds(now_ms_ - record.received_at_ms);
  message.delivered = record.delivered;
  message.deaths = record.deaths;
  return message;
}

}  // namespace rp::queue
