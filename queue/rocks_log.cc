#include "queue/rocks_log.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <utility>

#include <rocksdb/env.h>

#include "pipe/log.h"

namespace rp::queue {
namespace {

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
  static void write(LogLevel level, const char* format, va_list arguments) {
    std::array<char, 1024> text{};  // longer lines are cut
    std::vsnprintf(text.data(), text.size(), format, arguments);
    std::string line(text.data());
    while (!line.empty() && line.back() == '\n') line.pop_back();
    log(level, "queue", "RocksDB reports", {{"text", std::move(line)}});
  }
};

}  // namespace

std::shared_ptr<rocksdb::Logger> make_rocks_log() { return std::make_shared<RocksLog>(); }

}  // namespace rp::queue
