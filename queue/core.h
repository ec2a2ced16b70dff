#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/channel.h"
#include "queue/engine.h"
#include "queue/message_table.h"
#include "queue/topic_table.h"
#include "queue/waiting.h"

namespace rp::queue {

/// All decisions of the engine, for one thread: it has no thread and no lock of its own.
///
/// A group of operations is begin(), any of the operations, commit(). What the operations return
/// is to be reported after commit() only. Each of the three may throw StoreFailed; then rewind()
/// makes the core what the store is, and none of the group has happened.
class Core {
 public:
  Core(Store& store, const EngineOptions& options, const Clock& clock);

  /// Reads the store.
  Status load();

  void begin();
  /// Begins a group that only asks, for a store that cannot be written.
  void begin_asking();
  void commit();
  /// Between two operations of a group: hands on what has gathered, if it is much.
  void relieve() { ledger_.relieve(); }
  /// Back to the last commit. Waiters that were served by the group wait again, in their order.
  Status rewind();
  /// Why nothing can be added; nothing when it can.
  void refuse_additions(std::optional<Error> reason) { no_additions_ = std::move(reason); }

  using PutDone = Engine::PutDone;
  Result<std::vector<PutDone>> put(const std::string& name,
                                   const std::vector<NewMessage>& messages);
  /// Serves the waiter now or makes it wait; see take_served().
  void take(const std::shared_ptr<Waiting>& waiting);
  Status remove(MessageId id);
  Status touch(MessageId id);
  Status ack(const Lease& lease);
  Status nack(const Lease& lease, const NackOptions& options);
  /// Deliveries that nobody has seen: their messages are ready again, unless the lease is over.
  /// What cannot be read now comes back when its lease ends.
  void give_back(const std::vector<Lease>& leases);
  Status extend(const Lease& lease, std::optional<Milliseconds> length);

  /// Where a listing goes on.
  struct ListPlace {
    bool hidden = false;     // among the hidden messages, no longer the ready ones
    std::string next{};      // the key to begin with; empty: the first one
    std::uint64_t skip = 0;  // messages to pass over first
  };
  struct ListSlice {
    std::vector<Listed> listed;
    std::size_t bytes = 0;  // of their bodies
    ListPlace place;
    bool finished = false;
  };
  /// A listing, or the part of it that looks at Engine::kListMax messages: the rest is for another
  /// group, so that nobody is held up for longer.
  ListSlice list(const std::string& name, ListPlace place, std::size_t limit,
                 std::size_t bytes_max);
  Result<std::uint64_t> purge(const std::string& name);
  Status pause(const std::string& name, bool paused);
  Result<std::uint64_t> redrive(const std::string& name, std::size_t count_max);
  Status set_settings(const std::string& name, const ChannelSettings& settings);
  Status set_dead_channel(const std::string& name, const std::string& dead_channel);
  Result<ChannelSettings> settings(const std::string& name);
  Result<ChannelStats> channel_stats(const std::string& name);
  EngineStats stats();
  std::vector<std::string> channels();

  Status subscribe(const Subscription& subscription);
  Result<bool> unsubscribe(const std::string& topic, const std::string& channel);
  Result<Published> publish(const std::string& topic, const Publication& publication);
  std::vector<std::string> topics() { return topics_.topics(); }
  std::vector<Subscription> subscriptions(const std::string& topic, const std::string& channel) {
    return topics_.subscriptions(topic, channel);
  }

  /// A waiter that was served, or whose time is up (then there are no deliveries).
  struct Served {
    std::shared_ptr<Waiting> waiting;
    Result<std::vector<Delivery>> result;
  };
  std::vector<Served> take_served() { return std::exchange(served_, {}); }
  /// Takes a waiter out of its line. False if it is in none.
  bool leave(const std::shared_ptr<Waiting>& waiting);
  /// All waiters leave.
  std::vector<std::shared_ptr<Waiting>> leave_all();

  /// How long until begin() has something to do by itself; at most kLookAgain.
  Milliseconds until_next() const;
  /// Tidies up for a moment, inside of a group. True if there is more to do.
  bool tidy();
  std::uint64_t damaged() const { return ledger_.damaged(); }
  const std::string& store_id() const { return store_id_; }

 private:
  // core_time.cc
  void keep_undone();
  void give_back_undone();
  void read_clock();
  void look_again();
  void pass_time();
  void decide_due(keys::Table table, keys::Due due);
  void serve_lines();
  void release(keys::Due due);
  void expire(keys::Due due);
  void end_waits();
  void drop_idle_channels();
  WallTime wall_of(std::int64_t ms) const;
  Status load_tables();
  Status load_header(bool& fresh);
  Status write_header();

  // core_put.cc
  Status check(const NewMessage& message) const;
  Result<std::int64_t> delay_of(Milliseconds delay, const std::optional<WallTime>& at) const;
  Result<Channel*> room_in(const std::string& name, std::uint64_t messages, std::uint64_t bytes);
  std::optional<Error> over_limit(const Channel& channel, std::uint64_t messages,
                                  std::uint64_t bytes) const;
  Result<Channel*> make_channel(const std::string& name);
  MessageId store(Channel& channel, const NewMessage& message, std::string_view topic,
                  std::int64_t delay_ms);

  // core_take.cc
  Result<std::vector<Delivery>> lease_some(Channel& channel, const TakeOptions& options);
  std::optional<Delivery> lease_first(Channel& channel, const TakeOptions& options);
  std::optional<Delivery> lease_readable(Channel& channel, const TakeOptions& options);
  void serve(Channel& channel);
  void wait(const std::shared_ptr<Waiting>& waiting, bool in_front);
  void stop_waiting(const std::shared_ptr<Waiting>& waiting);
  Message message_of(const Card& card, const Record& record, std::string body) const;

  // core_answer.cc
  Result<Card> find(MessageId id);
  Result<Card> find_leased(const Lease& lease);
  Result<Record> record_of(const Card& card);
  void show(const Card& card, Record record);
  void hide(const Card& card, Record record, MessageState state, std::int64_t until_ms);
  void bury(const Card& card, Record record, DeathReason reason);
  void end_delivery(const Card& card, Record record);
  bool revive(const Channel& grave, MessageId id);
  bool move_over(const Card& card, Channel& target, const Record& record);

  // core_admin.cc
  bool is_listed(const Channel& channel) const;
  std::size_t list_some(Channel& channel, std::size_t limit, std::size_t bytes_max,
                        ListSlice& slice);
  std::optional<std::string> body_to_show(const Card& card, const Record& record);
  std::optional<Listed> listed(Channel& channel, const Entry& entry, bool with_body);

  Store& store_;
  const EngineOptions options_;
  const Clock& clock_;
  std::optional<Error> no_additions_;

  ChannelTable channels_;
  TopicTable topics_;
  Ledger ledger_;
  MessageTable messages_;
  EngineCounters counters_;
  EngineCounters counters_before_;  // the group

  // The engine's clock: the wall clock of the opening, and from then on the monotonic one.
  std::int64_t now_ms_ = 0;
  std::int64_t opened_ms_ = 0;
  std::chrono::steady_clock::time_point opened_at_{};
  std::int64_t wall_ahead_ms_ = 0;  // of the wall clock, before ours
  std::int64_t time_stored_ms_ = 0;
  std::int64_t tidied_ms_ = 0;
  std::uint64_t unreadable_before_ = 0;  // when the windows were last read anew
  std::int64_t looked_again_ms_ = 0;
  bool rewound_ = false;  // since the last commit

  std::set<std::pair<std::int64_t, std::shared_ptr<Waiting>>> deadlines_;
  std::vector<Served> served_;
  std::vector<Lease> leased_;  // by this group
  // By groups that were undone, of which a part is in the store: given back by the next group.
  std::vector<Lease> undone_;
  std::vector<std::shared_ptr<Waiting>> new_waiters_;  // of this group
  std::mt19937_64 random_;
  std::string store_id_;
};

/// The error of an argument, with a sentence.
Error bad_argument(std::string detail);
/// Nothing if the name of a channel or topic is acceptable.
std::optional<Error> bad_name(std::string_view what, std::string_view name);
std::optional<Error> bad_duration(std::string_view what, Milliseconds duration, Milliseconds least);

}  // namespace rp::queue
