#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "queue/core.h"
#include "queue/inbox.h"
#include "queue/store.h"

namespace rp::queue {

/// The engine's one thread: gathers operations into groups, has them decided, makes each group
/// durable, and reports.
class EngineThread {
 public:
  EngineThread(std::unique_ptr<Store> store, const EngineOptions& options, const Clock& clock);
  ~EngineThread() { close(); }

  /// Reads the store and starts. Call it once, first.
  Status open();
  void close();

  const std::shared_ptr<Inbox>& inbox() const { return inbox_; }
  EngineHealth health() const;
  const std::string& store_id() const { return core_.store_id(); }

 private:
  using Operations = std::vector<std::unique_ptr<Operation>>;

  void run();
  Milliseconds pause() const;
  void end_cancelled(const std::vector<std::shared_ptr<Waiting>>& cancelled);
  void run_group(Operations& group);
  bool try_group(Operations& group, bool again);
  void ask_only(Operations& group);
  void recover_from(const Error& error, bool again);
  void recover();
  void reload();
  void end_writing(const Error& error);
  void report(Operations& group);
  void end_all(Operations& left, const Error& error);
  void watch_room();
  void set_mode(EngineHealth::Mode mode, const std::string& reason);

  const std::unique_ptr<Store> store_;
  Core core_;
  const std::shared_ptr<Inbox> inbox_;
  std::vector<Lease> given_back_;  // deliveries whose waiter had left
  bool more_to_tidy_ = false;
  unsigned groups_since_tidy_ = 0;
  bool read_only_ = false;
  bool stuck_ = false;  // the disk is full, and nothing is written until recover()
  bool loaded_ = true;  // the core is what the store is
  Error why_not_{};     // the last group that failed was not written
  std::chrono::steady_clock::time_point recovery_tried_at_{};

  mutable std::mutex mutex_;
  EngineHealth health_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace rp::queue
