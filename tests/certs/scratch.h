#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace rp::certs::testing {

/// A temporary directory that is removed at the end.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::filesystem::path operator/(const std::filesystem::path& name) const {
    return directory_ / name;
  }
  const std::filesystem::path& directory() const noexcept { return directory_; }

 private:
  std::filesystem::path directory_;
};

void write_text(const std::filesystem::path& path, const std::string& text);
std::string read_text(const std::filesystem::path& path);

/// Permission bits, for example 0600.
unsigned mode_of(const std::filesystem::path& path);

/// Names in a directory, sorted.
std::vector<std::string> names_in(const std::filesystem::path& directory);

struct Outcome {
  int exit_code = -1;  ///< -1: killed by a signal
  std::string out;
  std::string err;
};

/// Runs a program in a session without a terminal, its stdin empty, with these variables added to
/// the environment. Programs are found along PATH.
Outcome run_program(const std::vector<std::string>& arguments,
                    const std::map<std::string, std::string>& environment = {});

/// Runs a program on a terminal of its own and types `line` once it has shown `prompt`. `out` holds
/// all that the terminal showed.
Outcome run_on_terminal(const std::vector<std::string>& arguments,
                        const std::map<std::string, std::string>& environment,
                        const std::string& prompt, const std::string& line);

}  // namespace rp::certs::testing
