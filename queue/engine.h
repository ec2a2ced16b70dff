#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "queue/channel_settings.h"
#include "queue/clock.h"
#include "queue/error.h"
#include "queue/message.h"

namespace rp::queue {

class Store;
struct Waiting;

/// Zero is "no limit" where a limit is a limit of the operator's.
struct EngineOptions {
  std::size_t body_bytes_max = 16 * 1024 * 1024;  ///< of one message
  std::uint64_t channel_messages_max = 0;         ///< the high-level mark of channels that set none
  std::uint64_t channel_body_bytes_max = 0;
  std::uint64_t body_bytes_total_max = 0;  ///< over all channels
  /// What a store in memory may need, keys, records and copies included; others know their disk.
  std::uint64_t memory_bytes_max = 0;
  std::size_t channels_max = 100'000;
  std::size_t subscriptions_max = 100'000;
  std::size_t waiters_max = 100'000;  ///< take() calls that wait, over all channels
  std::size_t operations_queued_max = 65'536;
  /// Of the bodies, ids and leases inside of those.
  std::size_t operation_bytes_queued_max = 64 * 1024 * 1024;
  /// Leases are written before a message is handed out, but by default only the next sync makes
  /// them safe against a loss of power; without them a message is delivered again, which is what
  /// at-least-once allows. Puts and acknowledgements always wait for their sync.
  bool sync_takes = false;
};

struct TakeOptions {
  std::size_t count_max = 1;  ///< 1 to kBatchMax; what is ready at once is given, never waited for
  std::optional<Milliseconds> lease{};  ///< >= 1 ms, instead of each message's own visibility
  Milliseconds wait{};                  ///< zero: answer at once
};

struct NackOptions {
  Milliseconds delay{};  ///< hidden for this long before it is delivered again
  bool reject = false;   ///< to the dead-letter channel; deleted if the channel has none
  /// The consumer never saw the message (it had left): the delivery does not count.
  bool undelivered = false;
};

/// Whether messages can be taken in, for /readyz and an operator.
struct EngineHealth {
  enum class Mode : std::uint8_t { working, disk_full, read_only };
  Mode mode = Mode::working;
  std::string reason{};  ///< one sentence; empty when working
  std::uint64_t damaged = 0;
};

/// Runs exactly once, on the engine's thread, after what it reports is durable; it must not block
/// or throw, and may call the engine. An operation that is not even queued (`closed`,
/// `overloaded`) reports on the caller's thread, before the call returns.
template <class T>
using Completion = std::function<void(Result<T>)>;

/// A take() that may still be waiting. Copies are the same waiter. Letting go of it changes
/// nothing.
class Waiter {
 public:
  Waiter() = default;
  /// True: the completion reports `cancelled`, soon, and a message that was already on its way is
  /// given back at once, its delivery uncounted. False: the completion has been or is being run.
  bool cancel();

 private:
  friend class Engine;
  explicit Waiter(std::shared_ptr<Waiting> waiting) : waiting_(std::move(waiting)) {}
  std::shared_ptr<Waiting> waiting_;
};

/// Durable channels and topics: at-least-once, acknowledged means synced.
///
/// All members may be called from any thread. One thread inside decides everything, in the order of
/// arrival, and makes many operations durable with one sync. Limits of a message (retention,
/// deliveries, lease) hold at the moment of delivery. Durations above kDurationMax are refused.
/// A name (channel, topic) is 1 to kNameBytesMax bytes without NUL.
class Engine {
 public:
  /// Reads the store; `clock` outlives the engine. Fails with `damaged`, `unsupported` or
  /// `unusable`. After start-up nothing is lost that was reported as done.
  static Result<std::unique_ptr<Engine>> open(std::unique_ptr<Store> store, EngineOptions options,
                                              const Clock& clock);
  /// The same with a store in memory.
  static Result<std::unique_ptr<Engine>> open_in_memory(EngineOptions options, const Clock& clock);

  /// Closes. Not from a completion.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Ends the thread after what it has begun; everything else completes with `closed`, waiters too.
  void close();

  struct PutDone {
    MessageId id = 0;
    bool duplicate = false;  ///< the id is that of an earlier message with the same dedup id
  };
  void put(std::string channel, NewMessage message, Completion<PutDone> done);
  /// 1 to kBatchMax messages: all or, with the error of the first that is refused, none.
  void put_batch(std::string channel, std::vector<NewMessage> messages,
                 Completion<std::vector<PutDone>> done);

  /// Leases the first ready messages. Waiters of a channel are served first come, first served;
  /// when the time is up the result is empty. A paused channel gives nothing.
  Waiter take(std::string channel, TakeOptions options, Completion<std::vector<Delivery>> done);

  // Answers, 1 to kBatchMax at once, each with its own result in the order of the argument:
  // `unknown_message`, `stale_lease`.

  using Answers = std::vector<Status>;
  /// Deletes messages in any state, with no proof that the caller holds them.
  void remove(std::vector<MessageId> ids, Completion<Answers> done);
  /// Restarts the visibility of messages in any state; a ready one becomes hidden.
  void touch(std::vector<MessageId> ids, Completion<Answers> done);
  /// Deletes messages for the one who holds them.
  void ack(std::vector<Lease> leases, Completion<Answers> done);
  /// Gives messages back.
  void nack(std::vector<Lease> leases, NackOptions options, Completion<Answers> done);
  /// Leases end this long from now instead; without it, after each message's visibility.
  void extend(std::vector<Lease> leases, std::optional<Milliseconds> lease,
              Completion<Answers> done);

  /// Ready messages in the order of delivery, then hidden ones in the order of their ids; passes
  /// over `offset` of them. `limit`: 1 to kListMax; fewer are returned when their bodies together
  /// pass kListBytesMax. An unknown channel is empty. One moment is seen, as long
  /// as offset and limit together stay within kListMax; beyond, others are served in between, and
  /// a message that moves meanwhile may be missing or come twice.
  void list(std::string channel, std::uint64_t offset, std::size_t limit,
            Completion<std::vector<Listed>> done);
  static constexpr std::size_t kListMax = 100'000;
  static constexpr std::size_t kListBytesMax = 16 * 1024 * 1024;

  /// Deletes all messages, ready and hidden, and reports how many; waiters and settings stay.
  void purge(std::string channel, Completion<std::uint64_t> done);
  /// A paused channel takes messages and gives none; it stays so over a restart.
  void pause(std::string channel, bool paused, Completion<void> done);
  /// Moves up to `count_max` (1 to kBatchMax) ready messages of a dead-letter channel back to where
  /// they died, with their deliveries at zero; reports how many. Those that were put into
  /// the channel directly stay.
  void redrive(std::string dead_channel, std::size_t count_max, Completion<std::uint64_t> done);

  void set_settings(std::string channel, ChannelSettings settings, Completion<void> done);
  /// Changes this one setting, whatever others are being changed at the same time.
  void set_dead_channel(std::string channel, std::string dead_channel, Completion<void> done);
  void settings(std::string channel, Completion<ChannelSettings> done);
  void channel_stats(std::string channel, Completion<ChannelStats> done);
  void stats(Completion<EngineStats> done);
  /// Sorted: channels with messages, subscriptions, own settings or waiters, or lately used.
  void channels(Completion<std::vector<std::string>> done);

  /// Subscribing again replaces the parameters.
  void subscribe(Subscription subscription, Completion<void> done);
  /// True if there was one.
  void unsubscribe(std::string topic, std::string channel, Completion<bool> done);
  /// The copies together have kPublicationBytesMax at most, since they are stored at once.
  void publish(std::string topic, Publication publication, Completion<Published> done);
  static constexpr std::size_t kPublicationBytesMax = 256 * 1024 * 1024;
  /// Sorted: names and patterns that are subscribed to.
  void topics(Completion<std::vector<std::string>> done);
  /// Of one channel, or of one topic, or (both empty) all, by topic, then channel.
  void subscriptions(std::string topic, std::string channel,
                     Completion<std::vector<Subscription>> done);

  /// At once, from any thread.
  EngineHealth health() const;
  /// Random at the first opening of the store, 32 hexadecimal digits, then always the same.
  const std::string& store_id() const;
  /// Looks at the clock now. For tests that move it.
  void wake();

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rp::queue
