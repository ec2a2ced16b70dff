#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "handlers/isolated/host_process.h"
#include "handlers/isolated/host_wire.h"
#include "handlers/isolated/hosted_call.h"
#include "handlers/isolated/local_link.h"
#include "handlers/isolated/pipes_up.h"
#include "handlers/isolated/restart_pacer.h"
#include "pipe/core/session.h"
#include "pipe/io_thread.h"

namespace rp::handlers {

/// How long things may take around a host process.
struct HostTimes {
  /// Loading a plugin, with whatever its init does.
  std::chrono::milliseconds start{60'000};
  /// A call waits so long for a host that is down: most restarts take a tenth of it.
  std::chrono::milliseconds restart_wait{2'000};
  /// From the node's `stop` to SIGTERM; SIGKILL comes a second later.
  std::chrono::milliseconds stop{3'000};
  /// Calls in flight in a host that was told by a signal to end.
  std::chrono::milliseconds retire{10'000};
  /// A host says something each second. One that is silent for five, and for two more at a second
  /// look, hangs.
  pipe::Heartbeat heartbeat{std::chrono::milliseconds(1'000), std::chrono::milliseconds(4'000)};
  pipe::Backoff::Options pauses = RestartPacer::kPauses;
};

/// One plugin in a process of its own: starts it, calls it, and starts it again when it ends.
///
/// Lives on one I/O thread; start(), target() and status() are for others. Held by shared_ptr.
class IsolatedPlugin final : public std::enable_shared_from_this<IsolatedPlugin>,
                             private pipe::SessionOwner {
 public:
  /// Calls that wait for a host that is down; more are refused.
  static constexpr std::size_t kWaitingMax = 1024;

  /// `path` of the plugin. References outlive the last call of stop()'s `done`.
  IsolatedPlugin(std::string path, HostStart settings, HostTimes times, HostLauncher& launcher,
                 const PipesUp& pipes, std::shared_ptr<pipe::IoThread> thread);
  ~IsolatedPlugin() override;

  /// What came of the first start.
  struct Loaded {
    std::optional<HostedPlugin> plugin;
    std::string refusal;  ///< the line that says why there is none
  };
  /// Starts the host for the first time. The result is there within HostTimes::start and a moment.
  std::future<Loaded> start();

  /// What answers the events of its methods, from any thread; it keeps this object.
  std::shared_ptr<pipe::EventTarget> target();

  struct Status {
    std::string name;
    std::string path;
    bool up = false;
    std::uint64_t restarts = 0;
  };
  /// Once start() has succeeded.
  Status status() const;

  // On the thread.

  void tell(const StateChange& change);
  void set_log_level(LogLevel level);
  /// Ends the host for good and all calls with it; then `done` runs, once.
  void stop(std::function<void()> done);

  // For its calls.

  pipe::IoThread& thread() const { return *thread_; }
  /// Null while there is none.
  pipe::Session* session() const { return session_.get(); }
  /// Sends the call, or keeps it for a while.
  void take(std::shared_ptr<HostedCall> call);
  /// Why a call failed, in words for its caller: what the host says of "this node" is about itself.
  pipe::Failure translated(pipe::Failure failure) const;

 private:
  enum class State : std::uint8_t {
    down,      ///< no process; the next one starts at restart_at_, unless stopping
    starting,  ///< the process loads the plugin
    up,
    leaving,  ///< finishes its calls, and ends then
    ending,   ///< its link has gone, or it was killed
  };
  class Target;
  class FromHost;
  struct Waiting {
    std::shared_ptr<HostedCall> call;
    pipe::Clock::time_point until;
  };

  void launch();
  void started(const pipe::ReplyHead* head, std::string body);
  void host_is_up(HostedPlugin plugin);
  void refused(std::string line);
  void retire();
  void ask_to_stop(std::chrono::milliseconds drain);
  void link_ended(pipe::error_code why);
  void kill(std::string why);
  void process_ended(ChildEnd end);
  void ended(const std::string& how, bool as_told);
  void log_end(const std::string& how, bool as_told, std::chrono::milliseconds pause) const;
  void finish_stop();

  bool call_host(std::string_view noun, std::string body, std::shared_ptr<pipe::Caller> caller);
  void tell_next();
  void wait(std::shared_ptr<HostedCall> call);
  void send_waiting();
  void fail_waiting(const pipe::Failure& failure);
  void arm_waiting_timer();
  pipe::Failure unavailable() const;
  template <class F>
  void after(std::chrono::milliseconds pause, F f);
  void cancel_timer();

  void session_woke() override;
  void session_draining(const pipe::Failure&) override {}
  void session_pinged() override {}
  void session_ponged(pipe::Clock::duration) override {}

  const std::string path_;
  HostStart settings_;
  const HostTimes times_;
  HostLauncher& launcher_;
  const PipesUp& pipes_;
  const std::shared_ptr<pipe::IoThread> thread_;
  const std::unique_ptr<FromHost> from_host_;
  RestartPacer pacer_;

  std::optional<std::promise<Loaded>> first_start_;  // until it has succeeded or failed
  HostedPlugin plugin_;                              // set before that; then kept
  State state_ = State::down;
  bool stopping_ = false;
  std::function<void()> stopped_;
  std::uint64_t run_ = 0;  // of the present process
  std::unique_ptr<HostProcess> process_;
  std::unique_ptr<pipe::Session> session_;
  std::shared_ptr<LocalLink> link_;
  std::string killed_because_;  // empty: it ended by itself
  std::string last_end_;        // how the last process ended
  pipe::Clock::time_point up_since_;
  pipe::Clock::time_point restart_at_;

  std::deque<Waiting> waiting_;                     // the one who waits longest first
  std::deque<StateChange> changes_;                 // that the host is yet to hear
  bool telling_ = false;                            // of the first of them
  std::optional<boost::asio::steady_timer> timer_;  // of the present state
  std::uint64_t timer_set_ = 0;                     // so often
  std::optional<boost::asio::steady_timer> waiting_timer_;

  std::atomic<bool> is_up_{false};
  std::atomic<std::uint64_t> restarts_{0};
};

}  // namespace rp::handlers
