#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "queue/engine.h"
#include "queue/memory_store.h"
#include "queue/rocks_store.h"

namespace rp::queue {

/// Clocks that stand still until a test moves them. Both may be read from any thread.
class ManualClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point steady() const override {
    ++reads_;
    return std::chrono::steady_clock::time_point(Milliseconds(steady_ms_.load()));
  }
  std::chrono::system_clock::time_point wall() const override {
    return std::chrono::system_clock::time_point(Milliseconds(wall_ms_.load()));
  }
  void advance(Milliseconds by) {
    steady_ms_ += by.count();
    wall_ms_ += by.count();
  }
  void set_wall_forward(Milliseconds by) { wall_ms_ += by.count(); }
  /// How often somebody has looked at it.
  std::uint64_t reads() const { return reads_; }

 private:
  mutable std::atomic<std::uint64_t> reads_{0};
  std::atomic<std::int64_t> steady_ms_{5'000};
  std::atomic<std::int64_t> wall_ms_{1'700'000'000'000};
};

/// A directory that is gone when the test is.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

enum class StoreKind { memory, rocks };

/// An engine on a store that outlives it, called as if it were synchronous.
class TestEngine {
 public:
  explicit TestEngine(StoreKind kind, EngineOptions options = {});

  void open();
  void close() { engine_.reset(); }
  void reopen() {
    close();
    open();
  }
  /// Works on the store itself, while the engine is closed.
  void change_store(const std::function<void(Store&)>& change) { change(*open_store()); }
  /// Goes on with stores of another kind.
  void use_store(std::function<std::unique_ptr<Store>()> make) {
    close();
    make_store_ = std::move(make);
    open();
  }
  void set_options(const EngineOptions& options) { options_ = options; }
  void advance(Milliseconds by) {
    clock.advance(by);
    engine_->wake();
  }
  Engine& operator*() { return *engine_; }
  Engine* operator->() { return engine_.get(); }

  /// The result of an operation that is started by `start(completion)`.
  template <class T, class Start>
  static Result<T> await(Start start) {
    std::promise<Result<T>> promise;
    auto future = promise.get_future();
    start([&promise](Result<T> result) { promise.set_value(std::move(result)); });
    if (future.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
      // The completion refers to this frame: going on would hide what happened.
      std::terminate();
    }
    return future.get();
  }

  Result<MessageId> put(const std::string& channel, NewMessage message);
  Result<std::vector<Engine::PutDone>> put_batch(const std::string& channel,
                                                 std::vector<NewMessage> messages);
  std::vector<Delivery> take(const std::string& channel, TakeOptions options = {});
  /// A take that may wait; it has been decided when this returns.
  struct Started {
    std::future<Result<std::vector<Delivery>>> result;
    Waiter waiter;
    /// The result, which must be there soon.
    Result<std::vector<Delivery>> get();
    bool is_ready() const;
  };
  Started start_take(const std::string& channel, TakeOptions options);
  Status remove(MessageId id);
  Status touch(MessageId id);
  Status ack(const Lease& lease);
  Status nack(const Lease& lease, NackOptions options = {});
  Status extend(const Lease& lease, std::optional<Milliseconds> length = std::nullopt);
  std::vector<Listed> list(const std::string& channel, std::uint64_t offset = 0,
                           std::size_t limit = kBatchMax);
  std::uint64_t purge(const std::string& channel);
  Status pause(const std::string& channel, bool paused);
  std::uint64_t redrive(const std::string& channel, std::size_t count_max = kBatchMax);
  Status set_settings(const std::string& channel, const ChannelSettings& settings);
  Status set_dead_channel(const std::string& channel, const std::string& dead_channel);
  ChannelSettings settings(const std::string& channel);
  ChannelStats stats(const std::string& channel);
  EngineStats stats();
  std::vector<std::string> channels();
  Status subscribe(const Subscription& subscription);
  bool unsubscribe(const std::string& topic, const std::string& channel);
  Result<Published> publish(const std::string& topic, Publication publication);
  std::vector<std::string> topics();

  ManualClock clock;
  TempDirectory directory;
  std::string data() const { return directory.path() + "/data"; }

 private:
  template <class Start>
  static Status answer(Start start);
  std::unique_ptr<Store> open_store();

  const StoreKind kind_;
  std::function<std::unique_ptr<Store>()> make_store_;
  EngineOptions options_;
  std::shared_ptr<MemoryStore::Map> map_ = std::make_shared<MemoryStore::Map>();
  std::unique_ptr<Engine> engine_;
};

/// Runs each test with both stores.
class BothStores : public testing::TestWithParam<StoreKind> {
 protected:
  TestEngine engine_{GetParam()};
};

std::string store_name(const testing::TestParamInfo<StoreKind>& info);

}  // namespace rp::queue
