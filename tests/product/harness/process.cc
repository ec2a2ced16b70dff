#include "tests/product/harness/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

namespace rp::product {
namespace {

constexpr int kSignalBase = 1000;  // beyond every exit code

std::vector<std::string> clean_environment(const std::vector<std::string>& added) {
  const auto is_added = [&](const std::string& name) {
    return std::any_of(added.begin(), added.end(),
                       [&](const std::string& one) { return one.starts_with(name + "="); });
  };
  std::vector<std::string> env;
  for (const char* name : {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "ASAN_OPTIONS",
                           "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH"}) {
    const char* const value = ::getenv(name);
    if (value != nullptr && !is_added(name)) env.push_back(std::string(name) + "=" + value);
  }
  env.insert(env.end(), added.begin(), added.end());
  return env;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

struct Child {
  std::array<std::string, 3> streams;  // stdin, stdout, stderr
  std::string directory;
  std::vector<char*> argv;
  std::vector<char*> env;
  std::optional<unsigned> files_max;
};

/// Between fork and exec: system calls only.
[[noreturn]] void become(const Child& child, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  const std::array flags = {O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_CREAT | O_TRUNC};
  for (std::size_t i = 0; i < flags.size(); ++i) {
    const int fd = ::open(child.streams[i].c_str(), flags[i], 0600);
    if (fd < 0 || ::dup2(fd, static_cast<int>(i)) < 0) ::_exit(127);
    if (fd > 2) ::close(fd);
  }
  if (!child.directory.empty() && ::chdir(child.directory.c_str()) != 0) ::_exit(127);
  if (child.files_max) {
    const rlimit limit{*child.files_max, *child.files_max};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ::signal(SIGPIPE, SIG_DFL);  // tests may ignore it; their children start afresh
  ::execvpe(child.argv[0], child.argv.data(), child.env.data());
  ::_exit(127);
}

}  // namespace

Process::Process(const Command& command) {
  auto argv = command.argv;
  auto env = clean_environment(command.env);
  write_text(directory_ / "in", command.input);
  const Child child{
      {(directory_ / "in").string(), (directory_ / "out").string(), (directory_ / "err").string()},
      command.directory.string(),
      pointers(argv),
      pointers(env),
      command.files_max};
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(child, parent);
  if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  // glibc 2.36 declares its own wrapper without C linkage.
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ < 0) throw std::runtime_error(std::string("pidfd_open: ") + std::strerror(errno));
}

Process::~Process() {
  kill();
  ::close(pidfd_);
}

void Process::signal(int number) const {
  if (!ended_) ::kill(pid_, number);
}

void Process::kill() {
  signal(SIGKILL);
  wait();
}

std::optional<int> Process::wait(TestClock::duration timeout) {
  if (ended_) return ended_;
  pollfd ready{pidfd_, POLLIN, 0};
  const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  if (::poll(&ready, 1, static_cast<int>(wait_ms)) != 1) return std::nullopt;
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) return std::nullopt;
  ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
  return ended_;
}

std::optional<std::string> Process::line(const char* file, std::string_view part,
                                         TestClock::duration timeout) {
  std::optional<std::string> found;
  const auto search = [&] {
    // Asked first: what was written before the end is then in the file.
    const bool ended = !running();
    auto text = read_text(directory_ / file);
    if (!ended) text.resize(text.rfind('\n') + 1);  // npos + 1 is 0: no whole line yet
    for (auto& candidate : lines_of(text)) {
      if (contains(candidate, part)) {
        found = std::move(candidate);
        return true;
      }
    }
    return ended;
  };
  eventually(timeout, search);
  return found;
}

std::optional<std::string> Process::out_line(std::string_view part, TestClock::duration timeout) {
  return line("out", part, timeout);
}

std::optional<std::string> Process::err_line(std::string_view part, TestClock::duration timeout) {
  return line("err", part, timeout);
}

Finished run(const Command& command, TestClock::duration timeout) {
  Process process(command);
  const auto code = process.wait(timeout);
  process.kill();
  return {code.value_or(-1), process.out(), process.err()};
}

}  // namespace rp::product
