#include "queue/engine_thread.h"

#include <chrono>
#include <utility>

#include "pipe/log.h"

namespace rp::queue {
namespace {

using Mode = EngineHealth::Mode;

// Busy or not, the index entries of purged messages go after so many groups.
constexpr unsigned kTidyAfterGroups = 64;
// Each attempt opens the store anew, so they are rare.
constexpr Milliseconds kRecoverEvery{1'000};

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::working:
      return "working";
    case Mode::disk_full:
      return "disk_full";
    case Mode::read_only:
      return "read_only";
  }
  return "unknown";
}

const Error kClosed{.code = Errc::closed, .detail = "the message engine has closed"};

}  // namespace

EngineThread::EngineThread(std::unique_ptr<Store> store, const EngineOptions& options,
                           const Clock& clock)
    : store_(std::move(store)),
      core_(*store_, options, clock),
      inbox_(std::make_shared<Inbox>(options.operations_queued_max,
                                     options.operation_bytes_queued_max)) {}

Status EngineThread::open() {
  if (auto status = core_.load(); !status) return status;
  watch_room();
  thread_ = std::thread([this] { run(); });
  return {};
}

void EngineThread::close() {
  inbox_->close();
  if (thread_.joinable()) thread_.join();
}

EngineHealth EngineThread::health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

void EngineThread::run() {
  for (;;) {
    auto taken = inbox_->take(pause());
    end_cancelled(taken.cancelled);
    if (taken.closing) {
      Operations none;
      if (!given_back_.empty()) run_group(none);
      return end_all(taken.operations, kClosed);
    }
    run_group(taken.operations);
  }
}

Milliseconds EngineThread::pause() const {
  // Without a store that can be written, what is to be done stays so: looking again is for
  // recovery, and for waiters whose time is up.
  if (stuck_ || read_only_) return kRecoverEvery;
  return more_to_tidy_ || !given_back_.empty() ? Milliseconds(0) : core_.until_next();
}

void EngineThread::end_cancelled(const std::vector<std::shared_ptr<Waiting>>& cancelled) {
  for (const auto& waiting : cancelled) {
    // If it is in no line, its take() or its delivery is on the way and completes it.
    if (core_.leave(waiting)) static_cast<void>(waiting->finish(std::vector<Delivery>()));
  }
}

void EngineThread::run_group(Operations& group) {
  if (stuck_ && std::chrono::steady_clock::now() - recovery_tried_at_ >= kRecoverEvery) {
    recover();
    if (!stuck_) reload();
  }
  watch_room();
  // The second attempt refuses what the first one failed for.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (read_only_ || stuck_) break;
    if (try_group(group, attempt != 0)) return report(group);
  }
  ask_only(group);
}

bool EngineThread::try_group(Operations& group, bool again) {
  try {
    core_.begin();
    core_.give_back(given_back_);
    for (const auto& operation : group) {
      operation->decide(core_);
      core_.relieve();
    }
    if (group.empty() || ++groups_since_tidy_ >= kTidyAfterGroups) {
      groups_since_tidy_ = 0;
      more_to_tidy_ = core_.tidy();
    }
    core_.commit();
    given_back_.clear();
    return true;
  } catch (const StoreFailed& failed) {
    recover_from(failed.error, again);
    return false;
  }
}

void EngineThread::recover_from(const Error& error, bool again) {
  why_not_ = error;
  if (error.code == Errc::disk_full) {
    set_mode(Mode::disk_full, error.detail);
    stuck_ = true;
    recovery_tried_at_ = std::chrono::steady_clock::now();
    // What fails a second time at once would fail a third time.
    if (!again) recover();
  } else {
    end_writing(error);
  }
  // Also when it was not: the group is undone.
  reload();
  watch_room();
}

void EngineThread::recover() {
  recovery_tried_at_ = std::chrono::steady_clock::now();
  const auto status = store_->recover();
  stuck_ = !status && status.error().code == Errc::disk_full;
  if (!status && !stuck_) end_writing(status.error());
}

void EngineThread::reload() {
  const auto status = core_.rewind();
  loaded_ = status.has_value();
  // A store that is not open has nothing to read; recovery goes on trying.
  if (!loaded_ && !stuck_ && !read_only_) end_writing(status.error());
}

void EngineThread::end_writing(const Error& error) {
  read_only_ = true;
  why_not_ = Error{.code = Errc::read_only, .detail = error.detail};
  set_mode(Mode::read_only, error.detail);
}

void EngineThread::ask_only(Operations& group) {
  const auto error = why_not_;
  core_.begin_asking();
  for (const auto& operation : group) {
    if (operation->changes() || !loaded_) {
      operation->fail(error);
    } else {
      operation->decide(core_);
      operation->report();
    }
  }
  Operations none;
  report(none);  // waiters whose time is up
  if (!read_only_) return;
  given_back_.clear();
  end_all(none, error);
}

void EngineThread::report(Operations& group) {
  for (const auto& operation : group) operation->report();
  for (auto& [waiting, result] : core_.take_served()) {
    if (waiting->finish(result) || !result) continue;
    for (const auto& delivery : *result) given_back_.push_back(delivery.lease);
  }
}

void EngineThread::end_all(Operations& left, const Error& error) {
  for (const auto& operation : left) operation->fail(error);
  for (const auto& waiting : core_.leave_all()) static_cast<void>(waiting->finish(error));
}

void EngineThread::watch_room() {
  if (read_only_) return;
  if (!stuck_ && store_->has_room()) {
    core_.refuse_additions(std::nullopt);
    set_mode(Mode::working, {});
    return;
  }
  Error error{.code = Errc::disk_full,
              .detail = "the message store has no space; messages can be taken and deleted"};
  set_mode(Mode::disk_full, error.detail);
  core_.refuse_additions(std::move(error));
}

void EngineThread::set_mode(Mode mode, const std::string& reason) {
  const auto damaged = core_.damaged();
  Mode before{};
  {
    const std::lock_guard lock(mutex_);
    before = health_.mode;
    health_.damaged = damaged;
    if (before == mode) return;
    health_.mode = mode;
    health_.reason = reason;
  }
  log(mode == Mode::working ? LogLevel::info : LogLevel::error, "queue",
      "the message store changed",
      {{"mode", name(mode)}, {"before", name(before)}, {"reason", reason}});
}

}  // namespace rp::queue
