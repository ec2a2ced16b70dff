#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "tests/product/harness/files.h"
#include "tests/wait.h"

namespace rp::product {

struct Command {
  std::vector<std::string> argv{};      ///< argv[0] is looked for in PATH
  std::vector<std::string> env{};       ///< NAME=VALUE, added to a clean environment
  std::string input{};                  ///< what the child reads from stdin
  std::filesystem::path directory{};    ///< working directory; empty: this one
  std::optional<unsigned> files_max{};  ///< descriptors that the child may open
};

/// A child process with its output in files. Killed and reaped by the destructor; it also dies with
/// the thread that made it, so that a crashed test leaves nothing behind.
///
/// The child's environment has PATH, HOME, the locale and the sanitizers' options of this one, and
/// nothing else: a variable of the one who runs the tests must not change what they see.
class Process {
 public:
  explicit Process(const Command& command);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const noexcept { return pid_; }
  void signal(int number) const;
  void kill();

  /// Exit code, or 1000 + the signal that ended it; nothing if it still runs after `timeout`.
  std::optional<int> wait(TestClock::duration timeout = kPatience);
  bool running() { return !wait(0s).has_value(); }

  std::string out() const { return read_text(directory_ / "out"); }
  std::string err() const { return read_text(directory_ / "err"); }

  /// The first whole line of stdout, or of stderr, that holds `part`; nothing when none appears
  /// in time or the process ends without one.
  std::optional<std::string> out_line(std::string_view part,
                                      TestClock::duration timeout = kPatience);
  std::optional<std::string> err_line(std::string_view part,
                                      TestClock::duration timeout = kPatience);

 private:
  std::optional<std::string> line(const char* file, std::string_view part,
                                  TestClock::duration timeout);

  TempDir directory_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<int> ended_;
};

/// A command that ran to its end.
struct Finished {
  int exit_code = -1;  ///< as Process::wait() says it; -1 when it was killed at the timeout
  std::string out;
  std::string err;
};
Finished run(const Command& command, TestClock::duration timeout = kPatience);

}  // namespace rp::product
