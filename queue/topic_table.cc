#include "queue/topic_table.h"

#include <optional>
#include <utility>

#include "queue/record.h"

namespace rp::queue {
namespace {

constexpr std::size_t kLoadedAtOnce = 1'000;
constexpr std::size_t kLoadedBytesAtOnce = 1'024 * 1'024;
// Turns are a matter of fairness: when there are too many groups to remember, all begin anew.
constexpr std::size_t kTurnsMax = 10'000;

/// Takes the first level off `rest`.
std::string_view next_level(std::string_view& rest, bool& more) {
  const auto dot = rest.find('.');
  const auto level = rest.substr(0, dot);
  more = dot != std::string_view::npos;
  rest = more ? rest.substr(dot + 1) : std::string_view();
  return level;
}

}  // namespace

bool topic_fits(std::string_view pattern, std::string_view topic) {
  bool pattern_goes_on = true;
  bool topic_goes_on = true;
  while (pattern_goes_on && topic_goes_on) {
    const auto wanted = next_level(pattern, pattern_goes_on);
    if (wanted == ">" && !pattern_goes_on) return true;
    const auto level = next_level(topic, topic_goes_on);
    if (wanted != "*" && wanted != level) return false;
  }
  return !pattern_goes_on && !topic_goes_on;
}

bool is_pattern(std::string_view topic) {
  for (bool more = true; more;) {
    const auto level = next_level(topic, more);
    if (level == "*" || (level == ">" && !more)) return true;
  }
  return false;
}

bool TopicTable::subscribe(const Subscription& subscription, Batch& batch) {
  const auto key = keys::subscription(subscription.topic, subscription.channel);
  batch.put(key, encode(key, subscription));
  const auto before = size_;
  keep(subscription);
  return size_ != before;
}

void TopicTable::keep(const Subscription& subscription) {
  const auto topic = by_topic_.try_emplace(subscription.topic).first;
  if (is_pattern(subscription.topic)) patterns_.insert_or_assign(subscription.topic, topic);
  if (topic->second.insert_or_assign(subscription.channel, subscription).second) ++size_;
}

bool TopicTable::unsubscribe(std::string_view topic, std::string_view channel, Batch& batch) {
  const auto readers = by_topic_.find(topic);
  if (readers == by_topic_.end()) return false;
  const auto found = readers->second.find(channel);
  if (found == readers->second.end()) return false;
  batch.erase(keys::subscription(topic, channel));
  readers->second.erase(found);
  --size_;
  if (!readers->second.empty()) return true;
  patterns_.erase(readers->first);
  by_topic_.erase(readers);
  return true;
}

std::vector<const Subscription*> TopicTable::readers(
    std::string_view topic, const std::function<bool(const Subscription&)>& can_take) {
  std::map<std::string_view, const Subscription*> by_channel;
  const auto add = [&](const ByChannel& readers) {
    for (const auto& [channel, subscription] : readers) by_channel.emplace(channel, &subscription);
  };
  const auto exact = by_topic_.find(topic);
  if (exact != by_topic_.end()) add(exact->second);
  for (const auto& [pattern, readers] : patterns_) {
    if (topic_fits(pattern, topic)) add(readers->second);
  }
  std::vector<const Subscription*> chosen;
  std::map<std::string_view, std::vector<const Subscription*>> groups;
  for (const auto& [channel, subscription] : by_channel) {
    auto& list = subscription->group.empty() ? chosen : groups[subscription->group];
    list.push_back(subscription);
  }
  if (turns_.size() > kTurnsMax) turns_.clear();
  for (const auto& [group, members] : groups) {
    auto& turn = turns_.try_emplace(std::string(group)).first->second;
    auto pick = turn % members.size();
    for (std::size_t tried = 0; tried < members.size(); ++tried) {
      const auto next = (turn + tried) % members.size();
      if (!can_take(*members[next])) continue;
      pick = next;
      break;
    }
    turn = pick + 1;
    chosen.push_back(members[pick]);
  }
  return chosen;
}

std::vector<std::string> TopicTable::topics() const {
  std::vector<std::string> names;
  names.reserve(by_topic_.size());
  for (const auto& [topic, readers] : by_topic_) names.push_back(topic);
  return names;
}

std::vector<Subscription> TopicTable::subscriptions(std::string_view topic,
                                                    std::string_view channel) const {
  std::vector<Subscription> found;
  for (const auto& [name, readers] : by_topic_) {
    if (!topic.empty() && name != topic) continue;
    for (const auto& [reader, subscription] : readers) {
      if (channel.empty() || reader == channel) found.push_back(subscription);
    }
  }
  return found;
}

bool TopicTable::load(Store& store, std::string& what) {
  what = "the subscriptions";
  auto range = keys::all(keys::Table::subscription);
  for (bool complete = false; !complete;) {
    const auto scanned = store.scan(range.first, range.last, kLoadedAtOnce, kLoadedBytesAtOnce);
    if (scanned.damaged + scanned.unreadable != 0) return false;
    for (const auto& [key, value] : scanned.entries) {
      const auto subscription = decode_subscription(key, value);
      if (!subscription) return false;
      keep(*subscription);
    }
    complete = scanned.complete;
    if (!scanned.entries.empty()) range.first = keys::after(scanned.entries.back().key);
  }
  return true;
}

void TopicTable::clear() {
  by_topic_.clear();
  patterns_.clear();
  size_ = 0;
}

}  // namespace rp::queue
