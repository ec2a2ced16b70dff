#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "handlers/dispatcher.h"
#include "handlers/isolated/host_log.h"
#include "handlers/isolated/host_wire.h"
#include "handlers/isolated/local_link.h"
#include "handlers/plugin_set.h"
#include "handlers/trusted_file.h"
#include "pipe/core/session.h"
#include "pipe/event.h"
#include "pipe/io_thread.h"

namespace rp::handlers {

/// The process that hosts one plugin, as far as it is not the process itself: what the node asks
/// for, done with a dispatcher and a plugin as the node has them.
///
/// Calls arrive on its I/O thread, where methods that are not blocking run. Loading and stopping
/// the plugin, which may take long, happen on the thread of run().
class PluginHost final : private pipe::EventTarget, private pipe::SessionOwner {
 public:
  /// How it ended.
  enum class End {
    stopped,  ///< as told, or the node has gone
    refused,  ///< the plugin, at its start
    stuck,    ///< a handler or callback of the plugin does not return: leave by _exit()
  };

  struct Options {
    std::string path;     ///< of the plugin
    bool own_log = true;  ///< this process's log lines go to the node
    /// On the I/O thread, when the node has gone and run() has not returned kGoneGrace later: the
    /// plugin does not let it.
    std::function<void()> abandoned = [] {};
  };

  static constexpr std::chrono::seconds kGoneGrace{5};

  PluginHost(Options options, FileDescriptor socket);
  ~PluginHost() override;
  PluginHost(const PluginHost&) = delete;
  PluginHost& operator=(const PluginHost&) = delete;

  /// Serves until the node says stop or has gone. Once.
  End run();

  /// The I/O thread: for signals.
  pipe::IoThread& thread() { return thread_; }
  /// On that thread: asks the node to send no more calls and then to stop this process. False when
  /// that has been asked before, or nothing is loaded yet.
  bool leave();

 private:
  std::shared_ptr<pipe::CallControl> submit(pipe::Event&& event, std::string&& body,
                                            const pipe::Origin& origin,
                                            std::shared_ptr<pipe::ReplySink>&& sink) override;
  void asked(const pipe::Event& event, std::string body, std::shared_ptr<pipe::ReplySink> sink);
  void start(const HostStart& settings, const std::shared_ptr<pipe::ReplySink>& sink);
  HostedPlugin loaded() const;
  void stop(std::chrono::milliseconds drain, const std::shared_ptr<pipe::ReplySink>& sink);
  void node_is_gone();
  void on_main(std::function<void()> work);

  void session_woke() override;
  void session_draining(const pipe::Failure&) override {}
  void session_pinged() override {}
  void session_ponged(pipe::Clock::duration) override {}

  const Options options_;
  pipe::IoThread thread_;
  pipe::Session session_;
  const std::shared_ptr<LocalLink> link_;
  boost::asio::steady_timer gone_timer_;

  // Made by start(), on the thread of run(), before the node hears of it.
  std::unique_ptr<HostLog> log_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<PluginSet> plugins_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;  // for the thread of run()
  bool started_ = false;                    // the plugin takes calls
  bool leaving_ = false;
  bool node_gone_ = false;
  std::optional<End> end_;
};

}  // namespace rp::handlers
