#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "queue/channel.h"
#include "queue/ledger.h"
#include "queue/record.h"
#include "queue/window.h"

namespace rp::queue {

/// A message that was found: where it is, and what decisions about it need.
struct Card {
  MessageId id = 0;
  Channel* channel = nullptr;
  MessageState state{};
  std::int64_t priority = 0;
  std::int64_t shown_at_ms = 0;
  std::int64_t expires_at_ms = 0;
  std::uint64_t token = 0;
  std::uint64_t body_bytes = 0;
};

/// All messages: moves them between their states and keeps the store's tables, the windows in
/// memory and the counts of the channels in step.
class MessageTable {
 public:
  using TimeWindow = Window<keys::Due>;

  MessageTable(Ledger& ledger, ChannelTable& channels) : ledger_(ledger), channels_(channels) {}

  /// A new message, or one that enters another channel; `body` as well if it is kept apart.
  void add(Channel& channel, MessageId id, const Record& record, std::string_view body);
  /// Deletes it and all that points to it.
  void erase(const Card& card);
  /// Writes the message as `record` now says; it stays in its channel.
  void move(const Card& card, const Record& record);

  /// Where the message is; nothing if there is none, or if it is damaged (then it is put away).
  std::optional<Card> find(MessageId id);
  /// The whole record, without a body that is kept apart.
  std::optional<Record> read(const Card& card);
  std::optional<std::string> read_body(const Card& card, const Record& record);
  /// The same for a question, which puts nothing away.
  std::optional<std::string> peek_body(const Card& card, const Record& record);

  /// The first of the order of delivery; nothing if none is ready.
  struct Ready {
    Card card;
    Record record;
  };
  std::optional<Ready> first_ready(Channel& channel);

  /// Without that one until look_again(), since it cannot be read. It stays in the store.
  void pass_over_first(Channel& channel);
  void pass_over(keys::Table table, keys::Due due) { window_of(table).erase(due); }
  /// Reads the fronts of all orders anew, for what was passed over.
  void look_again();

  /// The first entry of an index by time that is due; nothing if none is.
  std::optional<keys::Due> first_due(keys::Table table, std::int64_t now_ms);
  /// When first_due() will have something, or knows more; nothing if there is no entry.
  std::optional<std::int64_t> next_due(keys::Table table) const;
  /// Takes an entry out whose message is gone or has another time by now.
  void drop_due(keys::Table table, keys::Due due);

  /// Remembers a dedup id until its time has come.
  void remember_dedup(std::string_view channel, std::string_view dedup_id, MessageId id,
                      std::int64_t until_ms);
  std::optional<MessageId> find_dedup(std::string_view channel, std::string_view dedup_id,
                                      std::int64_t now_ms);
  void forget_dedup(keys::Due due);

  /// Deletes all messages of the channel at once.
  void purge(Channel& channel);
  /// Deletes up to `count_max` index entries that purges left behind; false when none is left.
  bool sweep(std::size_t count_max);
  bool has_to_sweep() const { return sweep_to_ != 0; }

  /// A number for a new message.
  MessageId next_id() { return ++id_last_; }
  MessageId id_last() const { return id_last_; }
  const Counts& total() const { return total_; }

  /// Writes what changed beside the messages.
  void write_changes(Batch& batch);
  /// Reads the little that is not read on demand. False, with `what`, if it is damaged.
  bool load(Store& store, std::string& what);
  void clear();

 private:
  void list(Channel& channel, MessageId id, const Record& record);
  void unlist(const Card& card);
  void count(Channel& channel, MessageState state, std::int64_t priority, std::uint64_t bytes,
             bool more);
  Card card_of(Channel& channel, MessageId id, const Record& record) const;
  void put_away(const Card& card, std::string_view key, std::string_view value);
  void remember(const Card& card);
  void refill(Channel& channel);
  void purge_each(Channel& channel);
  void purge_at_once(Channel& channel);
  TimeWindow& window_of(keys::Table table);
  const TimeWindow& window_of(keys::Table table) const;
  void refill(keys::Table table);

  // 256 messages of 1 KiB: what a channel holds of its front. Where there are many channels each
  // holds less, so that all together stay at a few times kReadyHeldByAll.
  static constexpr std::size_t kReadyHeldMax = 256;
  static constexpr std::size_t kReadyHeldMin = 4;
  static constexpr std::size_t kReadyHeldByAll = 32'768;
  std::size_t ready_held_max() const;
  // Some 4 MB for each index by time.
  static constexpr std::size_t kDueHeldMax = 32'768;

  Ledger& ledger_;
  ChannelTable& channels_;
  TimeWindow hidden_{};
  TimeWindow expiry_{};
  TimeWindow dedup_{};
  std::unordered_map<MessageId, Card> hidden_cards_;  // some of the hidden messages
  Counts total_{};
  MessageId id_last_ = 0;
  MessageId id_stored_ = 0;
  MessageId sweep_from_ = 0;
  MessageId sweep_to_ = 0;  // 0: nothing to sweep
  bool sweep_changed_ = false;
};

}  // namespace rp::queue
