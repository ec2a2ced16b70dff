#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "node/config.h"
#include "node/metrics.h"
#include "node/policy.h"
#include "pipe/event.h"

namespace rp::node {

/// Which refusals are worth a line: of each caller some, and of all together some, so that neither
/// the log is flooded nor one caller's noise hides another's attempt. Safe from any thread.
class RefusalLog {
 public:
  static constexpr std::uint32_t kLinesPerCallerMax = 10;  ///< in each second
  static constexpr std::uint32_t kLinesMax = 100;          ///< in each second, of all callers

  struct Verdict {
    bool log = false;
    std::uint64_t left_out = 0;  ///< refusals without a line since the last one with a line
  };
  Verdict refused(const std::string& caller, pipe::Clock::time_point now);

 private:
  std::mutex mutex_;  // guards the rest
  pipe::Clock::time_point second_began_{};
  std::unordered_map<std::string, std::uint32_t> lines_;  // by caller; at most kLinesMax of them
  std::uint32_t lines_in_all_ = 0;
  std::uint64_t left_out_ = 0;
};

/// The node's policy: read at start, and again whenever its file changes, without touching a pipe
/// that is up. A file that does not check keeps the last good policy. Without a file a server has
/// the built-in policy, and a client node lets its server, and whom that passes on, call
/// everything.
///
/// refresh() belongs to the main thread, because it reads files; the rest is safe from any thread.
class PolicyKeeper {
 public:
  /// Throws ConfigError.
  PolicyKeeper(const Config& config, Registry& metrics);

  /// Whether `from` may run the event's method on `to`, the name of a client or "" for the server's
  /// own handlers. A refusal is counted and logged; what the caller gets is refusal().
  bool allows(const std::string& from, const std::string& to, const pipe::Event& event);

  /// Whether the operator gave no file.
  bool is_built_in() const { return file_.empty(); }

  /// Loads again if the file has changed.
  void refresh();

  /// What a refused caller is told: no rule, no file, no name of anybody.
  static pipe::Failure refusal();

 private:
  /// What tells two states of a file apart without reading it.
  struct Stamp {
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    std::uint64_t bytes = 0;
    std::uint64_t inode = 0;
    int error = 0;  ///< of stat(); 0 when the file is there

    friend bool operator==(const Stamp&, const Stamp&) = default;
    static Stamp of(const std::filesystem::path& file);
  };

  std::shared_ptr<const Policy> policy() const;
  void refused(const Policy& policy, const Policy::Decision& decision,
               const PolicyQuestion& question, const std::string& request_id);

  const std::filesystem::path file_;  // empty for none
  const Role role_;
  Stamp stamp_;
  mutable std::mutex mutex_;  // guards policy_
  std::shared_ptr<const Policy> policy_;
  RefusalLog log_;
  Counter& refusals_;
};

}  // namespace rp::node
