#include "node/process_metrics.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/resource.h>

#include <unistd.h>

namespace rp::node {
namespace {

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// 0 where /proc is not mounted.
double resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  in >> all >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
  std::error_code ec;
  const std::filesystem::directory_iterator entries("/proc/self/fd", ec);
  if (ec) return 0;
  return static_cast<double>(std::distance(begin(entries), end(entries)) - 1);  // its own
}

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::vector<Registry::Callback> export_process(Registry& registry, const LogWriter& log,
                                               const Health& health) {
  registry
      .gauge("restpipe_build_info", "1, with the version as a label.", {{"version", RP_VERSION}})
      .set(1);
  std::vector<Registry::Callback> shown;
  const auto show = [&](std::string_view name, std::string_view help,
                        std::function<double()> read) {
    shown.push_back(registry.callback(name, help, {}, std::move(read)));
  };
  show("process_start_time_seconds", "When the process started, as seconds since 1970.",
       [start = seconds_since_1970()] { return start; });
  show("process_resident_memory_bytes", "Memory in use.", resident_bytes);
  show("process_open_fds", "Open descriptors.", open_descriptors);
  show("process_cpu_seconds_total", "Processor time used.", processor_seconds);
  show("restpipe_ready", "1 when /readyz says so, else 0.",
       [&health] { return health.ready() ? 1.0 : 0.0; });
  show("restpipe_log_lines_dropped_total", "Log lines lost because the log did not keep up.",
       [&log] { return static_cast<double>(log.dropped()); });
  return shown;
}

}  // namespace rp::node
