#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include "handlers/isolated/host_process.h"
#include "handlers/isolated/plugin_host.h"
#include "tests/handlers/recording_sink.h"

namespace rp::handlers {

/// A host "process" that is a thread of the test, or nothing but a socket: the test ends it as it
/// likes, and sees what is asked of it. Outlived by FakeHosts, which keeps it.
class FakeHost {
 public:
  FakeHost(boost::asio::io_context& context, FileDescriptor socket)
      : context_(context), socket_(::dup(socket.get())), theirs_(std::move(socket)) {}
  ~FakeHost() {
    hang_up();
    if (thread_.joinable()) thread_.join();
  }

  /// Serves `plugin` until the socket's end.
  void serve(const std::string& plugin) {
    thread_ = std::thread([this, plugin] {
      PluginHost::Options options;
      options.path = plugin;
      options.own_log = false;
      PluginHost host(std::move(options), std::move(theirs_));
      const auto how = host.run();
      end({how == PluginHost::End::refused ? 7 : 0, 0});
    });
  }

  /// Something waits to be read by it.
  bool has_unread() const {
    char byte = 0;
    return ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  }

  /// The process ends, as if by itself.
  void end(ChildEnd how) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    hang_up();
    boost::asio::post(context_, [on_end = std::move(on_end_), how] {
      if (on_end) on_end(how);
    });
  }

  void watch(std::function<void(ChildEnd)> on_end) {
    const std::lock_guard lock(mutex_);
    on_end_ = std::move(on_end);
  }
  void asked_to_end(int signal) {
    {
      const std::lock_guard lock(mutex_);
      signals_.push_back(signal);
    }
    end({0, signal});
  }
  std::vector<int> signals() const {
    const std::lock_guard lock(mutex_);
    return signals_;
  }

 private:
  void hang_up() { ::shutdown(socket_.get(), SHUT_RDWR); }

  boost::asio::io_context& context_;
  const FileDescriptor socket_;  // keeps the connection for hang_up()
  FileDescriptor theirs_;
  std::thread thread_;
  mutable std::mutex mutex_;  // guards the rest
  std::function<void(ChildEnd)> on_end_;
  std::vector<int> signals_;
  bool ended_ = false;
};

class FakeHosts final : public HostLauncher {
 public:
  ~FakeHosts() override {
    hosts_.clear();
    for (void* const library : libraries_) ::dlclose(library);
  }

  enum class Kind { serves, silent, fails };

  /// What the next ones are.
  void set_kind(Kind kind) {
    const std::lock_guard lock(mutex_);
    kind_ = kind;
  }

  pipe::Result<LaunchedHost> launch(const std::string& plugin,
                                    boost::asio::io_context& context) override {
    const std::lock_guard lock(mutex_);
    ++launches_;
    changed_.notify_all();
    if (kind_ == Kind::fails) {
      return pipe::error_code(EAGAIN, boost::system::system_category());
    }
    // Several hosts in one process share the library, so it stays loaded for longer than any.
    if (void* const library = ::dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      libraries_.push_back(library);
    }
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    hosts_.push_back(std::make_unique<FakeHost>(context, FileDescriptor(ends[1])));
    if (kind_ == Kind::serves) hosts_.back()->serve(plugin);
    return LaunchedHost{std::make_unique<Process>(*hosts_.back()), FileDescriptor(ends[0])};
  }

  /// The one that was launched last.
  FakeHost& last() {
    const std::lock_guard lock(mutex_);
    return *hosts_.back();
  }
  bool wait_for_launches(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return launches_ >= count; });
  }
  int launches() const {
    const std::lock_guard lock(mutex_);
    return launches_;
  }

 private:
  class Process final : public HostProcess {
   public:
    explicit Process(FakeHost& host) : host_(host) {}
    ~Process() override { host_.end({0, SIGKILL}); }
    int pid() const override { return 4711; }
    void watch(std::function<void(ChildEnd)> on_end) override { host_.watch(std::move(on_end)); }
    void terminate() override { host_.asked_to_end(SIGTERM); }
    void kill() override { host_.asked_to_end(SIGKILL); }

   private:
    FakeHost& host_;
  };

  mutable std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  Kind kind_ = Kind::serves;
  int launches_ = 0;
  std::deque<std::unique_ptr<FakeHost>> hosts_;
  std::vector<void*> libraries_;
};

}  // namespace rp::handlers
