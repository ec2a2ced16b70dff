#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "queue/channel_settings.h"
#include "queue/message.h"

namespace rp::queue {

/// The engine as the sentences of its header: one list of messages, searched from end to end, and
/// one number for the time. It forgets nothing at a restart and stores nothing.
class Model {
 public:
  struct Kept {
    MessageId id = 0;
    std::string channel{};
    std::string topic{};
    std::string body{};
    std::int64_t priority = 0;
    std::int64_t visibility_ms = 0;
    std::int64_t retention_ms = 0;
    std::uint32_t deliveries_max = 0;
    MessageState state = MessageState::ready;
    std::int64_t shown_at_ms = 0;
    std::int64_t expires_at_ms = 0;
    std::uint64_t token = 0;
    std::uint32_t delivered = 0;
    std::vector<std::tuple<std::string, DeathReason, std::uint32_t, std::int64_t>> deaths{};
  };
  struct Remembered {
    MessageId id = 0;
    std::int64_t until_ms = 0;
  };

  /// A take() of one message that waits.
  struct Wait {
    std::size_t handle = 0;  // the caller's
    std::int64_t deadline_ms = 0;
  };
  /// How a wait has ended: with a message, or with 0.
  struct Served {
    std::size_t handle = 0;
    MessageId id = 0;
  };

  void advance(std::int64_t ms) {
    now_ms += ms;
    // In the order of time; at the same moment retention goes first.
    while (const auto due = first_due()) {
      const auto [time_ms, is_release, id] = *due;
      if (is_release) {
        give_back(*find(id), 0);
      } else {
        erase(id);
      }
    }
    for (auto& [channel, line] : lines) {
      std::erase_if(line, [&](const Wait& wait) {
        if (wait.deadline_ms <= now_ms) served.push_back({wait.handle, 0});
        return wait.deadline_ms <= now_ms;
      });
    }
    std::erase_if(remembered, [&](const auto& r) { return r.second.until_ms <= now_ms; });
  }

  /// What take() gives at once: nothing while the channel is paused or others wait.
  std::vector<Kept*> to_take(const std::string& channel) {
    if (paused[channel] || !lines[channel].empty()) return {};
    return in_order(channel, false);
  }
  void deliver(Kept& k) {
    k.state = MessageState::leased;
    k.shown_at_ms = now_ms + k.visibility_ms;
    k.token = 0;  // until the engine has said which
    ++k.delivered;
  }
  void wait(const std::string& channel, Wait wait) {
    const auto ready = to_take(channel);
    if (ready.empty()) {
      lines[channel].push_back(wait);
      return;
    }
    deliver(*ready.front());
    served.push_back({wait.handle, ready.front()->id});
  }
  /// Those who wait get what is ready, in their order; nobody gets what is past its retention, even
  /// if that ends between the return of the message and now.
  void serve(std::string channel) {
    auto& line = lines[channel];
    if (line.empty() || paused[channel]) return;
    std::erase_if(kept, [&](const Kept& k) {
      return k.channel == channel && k.state == MessageState::ready && is_over(k);
    });
    while (!line.empty()) {
      const auto ready = in_order(channel, false);
      if (ready.empty()) return;
      deliver(*ready.front());
      served.push_back({line.front().handle, ready.front()->id});
      line.pop_front();
    }
  }

  Kept* find(MessageId id) {
    const auto at =
        std::find_if(kept.begin(), kept.end(), [&](const Kept& k) { return k.id == id; });
    return at == kept.end() ? nullptr : &*at;
  }
  void erase(MessageId id) {
    std::erase_if(kept, [&](const Kept& k) { return k.id == id; });
  }

  /// The ready messages of a channel in the order of delivery, then the hidden ones by id.
  std::vector<Kept*> in_order(const std::string& channel, bool hidden_too) {
    std::vector<Kept*> found;
    for (auto& k : kept) {
      if (k.channel == channel && (hidden_too || k.state == MessageState::ready))
        found.push_back(&k);
    }
    std::sort(found.begin(), found.end(), [](const Kept* a, const Kept* b) {
      const auto key = [](const Kept* k) {
        const bool hidden = k->state != MessageState::ready;
        return std::tuple(hidden, hidden ? 0 : k->priority, k->id);
      };
      return key(a) < key(b);
    });
    return found;
  }

  bool has_room(const std::string& channel, std::uint64_t count) const {
    const auto mark = settings_of(channel).messages_max;
    return mark == 0 || size_of(channel) + count <= mark;
  }
  std::uint64_t size_of(const std::string& channel) const {
    return static_cast<std::uint64_t>(std::count_if(
        kept.begin(), kept.end(), [&](const Kept& k) { return k.channel == channel; }));
  }
  ChannelSettings settings_of(const std::string& channel) const {
    const auto found = settings.find(channel);
    return found == settings.end() ? ChannelSettings() : found->second;
  }

  Kept& put(const std::string& channel, const NewMessage& message) {
    const auto defaults = settings_of(channel);
    Kept k;
    k.id = ++id_last;
    k.channel = channel;
    k.body = message.body;
    k.priority = message.priority;
    k.visibility_ms = message.visibility.value_or(defaults.visibility).count();
    k.retention_ms = message.retention.value_or(defaults.retention).count();
    k.deliveries_max = message.deliveries_max.value_or(defaults.deliveries_max);
    if (k.retention_ms != 0) k.expires_at_ms = now_ms + k.retention_ms;
    if (message.delay.count() > 0) {
      k.state = MessageState::delayed;
      k.shown_at_ms = now_ms + message.delay.count();
    }
    if (!message.dedup_id.empty()) {
      remembered[{channel, message.dedup_id}] = {k.id, now_ms + defaults.dedup_window.count()};
    }
    kept.push_back(k);
    return kept.back();
  }

  /// A delivery of it has ended.
  void give_back(Kept& k, std::int64_t delay_ms) {
    k.token = 0;
    if (delay_ms > 0) {
      k.state = MessageState::delayed;
      k.shown_at_ms = now_ms + delay_ms;
    } else if (k.deliveries_max != 0 && k.delivered >= k.deliveries_max) {
      bury(k.id, DeathReason::delivery_limit);
    } else {
      k.state = MessageState::ready;
      serve(k.channel);
    }
  }

  void bury(MessageId id, DeathReason reason) {
    auto& k = *find(id);
    const auto grave = settings_of(k.channel).dead_channel;
    if (grave.empty()) return erase(id);
    k.deaths.emplace_back(k.channel, reason, k.deliveries_max, k.retention_ms);
    if (k.deaths.size() > kDeathsKept) k.deaths.erase(k.deaths.begin());
    k.channel = grave;
    k.state = MessageState::ready;
    k.token = 0;
    k.delivered = 0;
    k.deliveries_max = 0;
    k.retention_ms = k.expires_at_ms = 0;
    serve(grave);
  }

  std::uint64_t redrive(const std::string& channel, std::size_t count_max) {
    std::uint64_t count = 0;
    std::vector<MessageId> ids;
    for (const auto* k : in_order(channel, false)) ids.push_back(k->id);
    for (const auto id : ids) {
      if (count == count_max) break;
      auto& k = *find(id);
      if (k.deaths.empty()) continue;
      const auto& [home, reason, deliveries_max, retention_ms] = k.deaths.back();
      if (home == channel || !has_room(home, 1)) continue;
      k.channel = home;
      k.delivered = 0;
      k.deliveries_max = deliveries_max;
      k.retention_ms = retention_ms;
      k.expires_at_ms = retention_ms == 0 ? 0 : now_ms + retention_ms;
      serve(k.channel);
      ++count;
    }
    return count;
  }

  std::vector<Kept> kept;
  std::map<std::pair<std::string, std::string>, Remembered> remembered;  // by channel, dedup id
  std::map<std::string, ChannelSettings> settings;
  std::map<std::string, bool> paused;
  std::map<std::string, std::deque<Wait>> lines;  // in the order in which they are served
  std::vector<Served> served;                     // since the caller has cleared it
  std::map<std::pair<std::string, std::string>, Subscription> subscriptions;  // topic, channel
  std::int64_t now_ms = 0;
  MessageId id_last = 0;

 private:
  bool is_over(const Kept& k) const { return k.expires_at_ms != 0 && k.expires_at_ms <= now_ms; }
  /// The first that time brings: when, whether a hidden message comes back or a message expires, of
  /// which.
  std::optional<std::tuple<std::int64_t, bool, MessageId>> first_due() const {
    std::optional<std::tuple<std::int64_t, bool, MessageId>> first;
    const auto look = [&](std::int64_t time_ms, bool is_release, MessageId id) {
      if (time_ms > now_ms) return;
      const auto due = std::tuple(time_ms, is_release, id);
      if (!first || due < *first) first = due;
    };
    for (const auto& k : kept) {
      if (k.expires_at_ms != 0) look(k.expires_at_ms, false, k.id);
      if (k.state != MessageState::ready) look(k.shown_at_ms, true, k.id);
    }
    return first;
  }
};

}  // namespace rp::queue
