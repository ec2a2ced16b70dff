#pragma once

#include <cstddef>
#include <memory>

namespace rp::pipe {

/// A thread that sleeps until there is work, as those who give it some see it.
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  /// Wakes it if work still waits for it. Safe from any thread.
  virtual void wake_for_work() = 0;
};

/// While one lives on a thread, the threads that are given work on it are woken at its end.
///
/// A thread that is woken at once may take the processor from the one that is about to give it
/// more, and then does a little at a time: more system calls, more encryption records, more
/// switches.
///
///   {
///     const WakeBatch batch;
///     ... mailbox.post(a); mailbox.post(b); ...
///   }  // the owner of the mailbox wakes up and finds both
///
/// Inside another one it does nothing. Whoever waits for another thread must not do so inside one.
class WakeBatch {
 public:
  /// So much work is worth a wake-up of its own: its thread may begin while more is made.
  static constexpr std::size_t kWorthWaking = 16;

  WakeBatch();
  ~WakeBatch();
  WakeBatch(const WakeBatch&) = delete;
  WakeBatch& operator=(const WakeBatch&) = delete;

  /// Leaves the wake-up to this thread's batch, once for each sleeper; false if it has none.
  [[nodiscard]] static bool defer(std::shared_ptr<Sleeper> sleeper);

 private:
  bool outermost_;
};

}  // namespace rp::pipe
