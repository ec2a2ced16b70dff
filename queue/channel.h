#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "queue/ledger.h"
#include "queue/record.h"
#include "queue/window.h"

namespace rp::queue {

struct Waiting;

/// One channel in memory: how much is in it, and the front of its order of delivery.
struct Channel {
  std::string name;
  ChannelNumber number = 0;  // 0: nothing of it has been stored
  ChannelSettings settings{};
  bool paused = false;
  Counts counts{};
  Window<keys::Place> ready{};                    // values are those of the store
  std::list<std::shared_ptr<Waiting>> waiters{};  // in the order in which they are served
  std::uint64_t subscriptions = 0;
  std::int64_t used_at_ms = 0;    // last change or question
  std::int64_t waited_at_ms = 0;  // last time somebody waited here; 0: never
  bool record_changed = false;
  bool counts_changed = false;

  bool has_own_settings() const { return paused || !(settings == ChannelSettings{}); }
};

/// All channels, by name and by number. Owns them.
class ChannelTable {
 public:
  /// Null if there is none.
  Channel* find(std::string_view name) const;
  Channel* find(ChannelNumber number) const;
  /// The channel, new and empty if there was none.
  Channel& make(std::string_view name);
  /// Gives the channel the number that its keys need.
  void give_number(Channel& channel);
  /// Takes the channel out of memory and, if it is there, out of the store.
  void remove(Channel& channel, Batch& batch);

  /// Takes a change into account: the record or the counts go into the next batch.
  void record_changed(Channel& channel);
  void counts_changed(Channel& channel);
  /// Writes the changed ones.
  void write_changes(Batch& batch);

  /// Reads all channels and their counts. False if one of them is damaged; `what` says which.
  bool load(Store& store, std::string& what);
  /// Forgets everything.
  void clear();

  const std::map<std::string, std::unique_ptr<Channel>, std::less<>>& by_name() const {
    return by_name_;
  }
  std::size_t size() const { return by_name_.size(); }
  ChannelNumber number_last() const { return number_last_; }

 private:
  std::map<std::string, std::unique_ptr<Channel>, std::less<>> by_name_;
  std::unordered_map<ChannelNumber, Channel*> by_number_;
  std::vector<Channel*> changed_;
  ChannelNumber number_last_ = 0;
  bool number_changed_ = false;
};

}  // namespace rp::queue
