#include "tests/certs/scratch.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <unistd.h>

namespace rp::certs::testing {
namespace fs = std::filesystem;
namespace {

struct PipeEnds {
  int read = -1;
  int write = -1;
};

PipeEnds open_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  return {ends[0], ends[1]};
}

[[noreturn]] void become(const std::vector<std::string>& arguments,
                         const std::map<std::string, std::string>& environment) {
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

void without_terminal(int out, int err) {
  ::setsid();
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
}

int exit_code_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Drains both pipes together, so that a full one does not block the program.
void collect(int out, int err, Outcome& outcome) {
  std::array<pollfd, 2> ends{pollfd{out, POLLIN, 0}, pollfd{err, POLLIN, 0}};
  std::array<char, 4096> block{};
  int open_ends = 2;
  while (open_ends > 0) {
    if (::poll(ends.data(), ends.size(), 30'000) <= 0) throw std::runtime_error("program hangs");
    for (pollfd& end : ends) {
      if (end.fd < 0 || end.revents == 0) continue;
      const ssize_t count = ::read(end.fd, block.data(), block.size());
      if (count > 0) {
        (end.fd == out ? outcome.out : outcome.err)
            .append(block.data(), static_cast<std::size_t>(count));
        continue;
      }
      end.fd = -1;
      --open_ends;
    }
  }
}

}  // namespace

Scratch::Scratch() {
  std::string pattern = (fs::temp_directory_path() / "rp-certs-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::runtime_error("cannot make a temporary directory");
  directory_ = pattern;
}

Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw std::runtime_error("no " + path.string());
  return status.st_mode & 07777U;
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

Outcome run_program(const std::vector<std::string>& arguments,
                    const std::map<std::string, std::string>& environment) {
  const PipeEnds out = open_pipe();
  const PipeEnds err = open_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    without_terminal(out.write, err.write);
    become(arguments, environment);
  }
  ::close(out.write);
  ::close(err.write);
  Outcome outcome;
  collect(out.read, err.read, outcome);
  ::close(out.read);
  ::close(err.read);
  outcome.exit_code = exit_code_of(child);
  return outcome;
}

Outcome run_on_terminal(const std::vector<std::string>& arguments,
                        const std::map<std::string, std::string>& environment,
                        const std::string& prompt, const std::string& line) {
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) become(arguments, environment);
  Outcome outcome;
  bool typed = false;
  std::array<char, 4096> block{};
  for (;;) {
    pollfd end{terminal, POLLIN, 0};
    if (::poll(&end, 1, 30'000) <= 0) throw std::runtime_error("program hangs");
    const ssize_t count = ::read(terminal, block.data(), block.size());
    if (count <= 0) break;  // EIO: the program has ended
    outcome.out.append(block.data(), static_cast<std::size_t>(count));
    if (typed || outcome.out.find(prompt) == std::string::npos) continue;
    const std::string typing = line + "\n";
    typed = ::write(terminal, typing.data(), typing.size()) > 0;
  }
  ::close(terminal);
  outcome.exit_code = exit_code_of(child);
  return outcome;
}

}  // namespace rp::certs::testing
