#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "queue/channel_settings.h"
#include "queue/store.h"

namespace rp::queue {

/// Whether a topic fits what was subscribed to. Levels end at '.'; in a pattern `*` stands for one
/// level, and `>` at the end for one or more. Everything else is meant literally.
bool topic_fits(std::string_view pattern, std::string_view topic);
bool is_pattern(std::string_view topic);

/// Who gets what is published.
class TopicTable {
 public:
  /// True if the subscription is new, false if it replaces one.
  bool subscribe(const Subscription& subscription, Batch& batch);
  /// True if there was one.
  bool unsubscribe(std::string_view topic, std::string_view channel, Batch& batch);

  /// One subscription for each channel that gets a copy: a name goes before patterns, patterns in
  /// their order. Of each group one member, in turn; `can_take` passes over members without room
  /// as long as another one has some.
  std::vector<const Subscription*> readers(
      std::string_view topic, const std::function<bool(const Subscription&)>& can_take);

  std::vector<std::string> topics() const;
  /// Empty arguments fit all.
  std::vector<Subscription> subscriptions(std::string_view topic, std::string_view channel) const;
  std::size_t size() const { return size_; }
  std::size_t topic_count() const { return by_topic_.size(); }

  bool load(Store& store, std::string& what);
  void clear();

 private:
  using ByChannel = std::map<std::string, Subscription, std::less<>>;
  using ByTopic = std::map<std::string, ByChannel, std::less<>>;
  void keep(const Subscription& subscription);

  ByTopic by_topic_;
  std::map<std::string, ByTopic::iterator, std::less<>> patterns_;
  std::map<std::string, std::uint64_t, std::less<>> turns_;  // of groups that were served
  std::size_t size_ = 0;
};

}  // namespace rp::queue
