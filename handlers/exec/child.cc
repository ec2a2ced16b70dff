#include "handlers/exec/child.h"

#include <cerrno>
#include <chrono>
#include <sys/wait.h>
#include <utility>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "handlers/exec/spawn.h"

namespace rp::handlers {
namespace {

// From SIGTERM to SIGKILL: enough to remove a temporary file, not enough to keep a slot busy.
constexpr std::chrono::seconds kTermGrace{1};

pipe::error_code last_error() { return {errno, boost::system::system_category()}; }

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {FileDescriptor(), FileDescriptor()};
  return {above(STDERR_FILENO, FileDescriptor(ends[0])),
          above(STDERR_FILENO, FileDescriptor(ends[1]))};
}

bool unblock(const FileDescriptor& fd) { return fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0; }

/// For posix_spawn(), which changes none of them. `texts` outlives what it returns.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

StartedChild::~StartedChild() {
  if (process) kill_and_wait(pid);
}

pipe::Result<StartedChild> start_child(const ChildCommand& command) {
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  if (!in.read || !in.write || !out.read || !out.write || !err.read || !err.write) {
    return last_error();
  }
  if (!unblock(in.write) || !unblock(out.read) || !unblock(err.read)) return last_error();
  SpawnPlan plan(STDERR_FILENO);
  plan.give(in.read, STDIN_FILENO);
  plan.give(out.write, STDOUT_FILENO);
  plan.give(err.write, STDERR_FILENO);
  plan.start_in(command.directory);
  auto arguments = pointers_to(command.arguments);
  arguments.insert(arguments.begin(), const_cast<char*>(command.path.c_str()));
  const auto environment = pointers_to(command.environment);
  auto spawned = plan.spawn(command.path, arguments.data(), environment.data());
  if (!spawned) return spawned.error();
  StartedChild child;
  child.pid = spawned->pid;
  child.process = std::move(spawned->process);
  child.input = std::move(in.write);
  child.output = std::move(out.read);
  child.errors = std::move(err.read);
  return child;
}

Child::Child(boost::asio::io_context& context, pid_t pid, FileDescriptor process)
    : pid_(pid), process_(context, process.release()), patience_(context) {}

Child::~Child() {
  if (!reaped_) kill_and_wait(pid_);
}

void Child::watch(std::function<void(ChildEnd)> on_end) {
  // The operation owns the callback, so that whoever waits and the child never own each other.
  process_.async_wait(
      boost::asio::posix::descriptor_base::wait_read,
      [self = shared_from_this(), on_end = std::move(on_end)](const boost::system::error_code& ec) {
        if (!ec) on_end(self->reap());
      });
}

void Child::terminate() {
  if (reaped_ || std::exchange(terminating_, true)) return;
  signal_group(pid_, SIGTERM);
  patience_.expires_after(kTermGrace);
  patience_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    if (!ec && !self->reaped_) signal_group(self->pid_, SIGKILL);
  });
}

void Child::kill() {
  if (!reaped_) signal_group(pid_, SIGKILL);
}

ChildEnd Child::reap() {
  // The group's id is free for others once its leader has been waited for, so the rest goes first.
  ::kill(-pid_, SIGKILL);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED);
  reaped_ = true;
  patience_.cancel();
  process_.close();
  const bool exited = info.si_code == CLD_EXITED;
  return exited ? ChildEnd{info.si_status, 0} : ChildEnd{0, info.si_status};
}

}  // namespace rp::handlers
