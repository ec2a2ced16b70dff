#include "queue/channel.h"

#include <algorithm>
#include <utility>

namespace rp::queue {
namespace {

constexpr std::size_t kLoadedAtOnce = 1'000;
constexpr std::size_t kLoadedBytesAtOnce = 1'024 * 1'024;
constexpr std::string_view kNumberLast = "number_last";

}  // namespace

Channel* ChannelTable::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.get();
}

Channel* ChannelTable::find(ChannelNumber number) const {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : found->second;
}

Channel& ChannelTable::make(std::string_view name) {
  if (auto* channel = find(name)) return *channel;
  auto channel = std::make_unique<Channel>();
  channel->name = name;
  return *by_name_.emplace(name, std::move(channel)).first->second;
}

void ChannelTable::give_number(Channel& channel) {
  if (channel.number != 0) by_number_.erase(channel.number);
  channel.number = ++number_last_;
  number_changed_ = true;
  by_number_.emplace(channel.number, &channel);
  record_changed(channel);
  counts_changed(channel);
}

void ChannelTable::remove(Channel& channel, Batch& batch) {
  std::erase(changed_, &channel);
  if (channel.number != 0) {
    batch.erase(keys::channel(channel.name));
    batch.erase(keys::counts(channel.number));
    by_number_.erase(channel.number);
  }
  by_name_.erase(by_name_.find(channel.name));
}

void ChannelTable::record_changed(Channel& channel) {
  if (!channel.record_changed && !channel.counts_changed) changed_.push_back(&channel);
  channel.record_changed = true;
}

void ChannelTable::counts_changed(Channel& channel) {
  if (!channel.record_changed && !channel.counts_changed) changed_.push_back(&channel);
  channel.counts_changed = true;
}

void ChannelTable::write_changes(Batch& batch) {
  for (auto* channel : changed_) {
    if (std::exchange(channel->record_changed, false)) {
      const auto key = keys::channel(channel->name);
      batch.put(key,
                encode(key, ChannelRecord{channel->number, channel->paused, channel->settings}));
    }
    if (std::exchange(channel->counts_changed, false)) {
      const auto key = keys::counts(channel->number);
      batch.put(key, encode(key, channel->counts));
    }
  }
  changed_.clear();
  if (std::exchange(number_changed_, false)) {
    const auto key = keys::meta(kNumberLast);
    batch.put(key, encode_number(key, number_last_));
  }
}

bool ChannelTable::load(Store& store, std::string& what) {
  const auto number_key = keys::meta(kNumberLast);
  const auto number_value = store.get(number_key);
  if (!number_value) return what = "the number of channels", false;
  if (*number_value) {
    const auto number = decode_number(number_key, **number_value);
    if (!number) return what = "the number of channels", false;
    number_last_ = *number;
  }
  auto range = keys::all(keys::Table::channel);
  for (bool complete = false; !complete;) {
    const auto scanned = store.scan(range.first, range.last, kLoadedAtOnce, kLoadedBytesAtOnce);
    complete = scanned.complete;
    if (scanned.damaged + scanned.unreadable != 0) return what = "the list of channels", false;
    for (const auto& [key, value] : scanned.entries) {
      const auto record = decode_channel(key, value);
      what = "channel '" + std::string(keys::name_of_channel(key)) + "'";
      if (!record) return false;
      const auto counts_key = keys::counts(record->number);
      const auto counts_value = store.get(counts_key);
      if (!counts_value || !*counts_value) return false;
      const auto counts = decode_counts(counts_key, **counts_value);
      if (!counts) return false;
      auto& channel = make(keys::name_of_channel(key));
      channel.number = record->number;
      channel.paused = record->paused;
      channel.settings = record->settings;
      channel.counts = *counts;
      channel.ready = Window<keys::Place>::unknown();
      by_number_.emplace(channel.number, &channel);
    }
    if (!scanned.entries.empty()) range.first = keys::after(scanned.entries.back().key);
  }
  return true;
}

void ChannelTable::clear() {
  changed_.clear();
  by_number_.clear();
  by_name_.clear();
  number_last_ = 0;
  number_changed_ = false;
}

}  // namespace rp::queue
