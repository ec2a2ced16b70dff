#include "queue/rocks_log.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>

#include <rocksdb/env.h>

#include "pipe/log.h"

namespace rp::queue {
namespace {

// Under load it warns many times a second that it slows down; one line says as much.
constexpr std::chrono::seconds kWarnedEvery{10};

class RocksLog final : public rocksdb::Logger {
 public:
  RocksLog() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;

  void Logv(const char* format, va_list arguments) override {
    write(LogLevel::warning, format, arguments);
  }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level == rocksdb::InfoLogLevel::HEADER_LEVEL) {
      return;
    }
    const bool error = level >= rocksdb::InfoLogLevel::ERROR_LEVEL;
    write(error ? LogLevel::error : LogLevel::warning, format, arguments);
  }

 private:
  void write(LogLevel level, const char* format, va_list arguments) {
    if (level == LogLevel::warning && !is_time_for_warning()) return;
    std::array<char, 1024> text{};  // longer lines are cut
    std::vsnprintf(text.data(), text.size(), format, arguments);
    std::string line(text.data());
    while (!line.empty() && line.back() == '\n') line.pop_back();
    log(level, "queue", "RocksDB reports", {{"text", std::move(line)}});
  }

  bool is_time_for_warning() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const auto now_s = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    auto last_s = warned_s_.load();
    return now_s - last_s >= kWarnedEvery.count() &&
           warned_s_.compare_exchange_strong(last_s, now_s);
  }

  std::atomic<std::int64_t> warned_s_{std::numeric_limits<std::int32_t>::min()};
};

}  // namespace

std::shared_ptr<rocksdb::Logger> make_rocks_log() { return std::make_shared<RocksLog>(); }

}  // namespace rp::queue

#if defined(__SANITIZE_THREAD__)
// The packaged RocksDB is not built for ThreadSanitizer, which therefore does not see how it hands
// memory from one of its threads to another, and takes that for races.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:librocksdb.so\n"; }
#endif
