#include "node/logging.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

#include "node/escape.h"

namespace rp::node {
namespace {

// A pipe that poll() calls writable takes this much without blocking: PIPE_BUF, POSIX limits.h.
constexpr std::size_t kWriteBytesMax = 4096;
constexpr std::size_t kFieldBytesMax = 4096;  // longer field values are cut; see cut()
constexpr int kPollMs = 100;                  // how soon a stuck writer notices the end

std::string_view level_word(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
    case LogLevel::off:
      break;
  }
  return "off";
}

std::string_view cut(std::string_view value) { return value.substr(0, kFieldBytesMax); }

}  // namespace

std::string timestamp(std::chrono::system_clock::time_point at) {
  using std::chrono::milliseconds;
  const auto since_epoch = std::chrono::floor<milliseconds>(at.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const std::time_t time = seconds.count();
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  std::array<char, 32> date;
  const std::size_t length = std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::string ms = std::to_string((since_epoch - seconds).count());
  ms.insert(0, 3 - ms.size(), '0');
  return std::string(date.data(), length) + '.' + ms + 'Z';
}

std::string text_line(const LogLine& line, std::chrono::system_clock::time_point at) {
  std::string out = timestamp(at);
  std::string level(level_word(line.level));
  std::transform(level.begin(), level.end(), level.begin(),
                 [](char c) { return static_cast<char>(c - 'a' + 'A'); });
  out.append(" ").append(level).append(" ").append(line.component).append(": ");
  out.append(line.message);
  for (const LogField& field : line.fields) {
    out.append(" ").append(field.key).append("=").append(logfmt_value(cut(field.value)));
  }
  return out;
}

std::string json_line(const LogLine& line, std::chrono::system_clock::time_point at) {
  constexpr std::array<std::string_view, 4> kReserved{"time", "level", "component", "message"};
  std::string out = "{\"time\":\"" + timestamp(at) + "\",\"level\":\"";
  out.append(level_word(line.level)).append("\",\"component\":");
  out.append(json_quoted(line.component)).append(",\"message\":");
  out.append(json_quoted(line.message));
  for (const LogField& field : line.fields) {
    const bool taken = std::find(kReserved.begin(), kReserved.end(), field.key) != kReserved.end();
    const std::string key = (taken ? "_" : "") + std::string(field.key);
    out.append(",").append(json_quoted(key)).append(":").append(json_quoted(cut(field.value)));
  }
  return out + '}';
}

/// What lies between the threads that log and the one that writes.
class LogQueue {
 public:
  LogQueue(LogFormat format, int descriptor) : format_(format), descriptor_(descriptor) {}

  void start() {
    writer_ = std::thread([this] { run(); });
  }
  void take(const LogLine& line);
  void flush();
  void finish();
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void run();
  bool write_all(std::string_view bytes);
  bool write_some(std::string_view& bytes);
  bool give_up() const;
  std::string report_of_loss();
  std::string formatted(const LogLine& line) const {
    const auto now = std::chrono::system_clock::now();
    return (format_ == LogFormat::json ? json_line(line, now) : text_line(line, now)) + '\n';
  }

  const LogFormat format_;
  const int descriptor_;
  std::atomic<std::uint64_t> dropped_{0};

  std::mutex mutex_;  // guards waiting_, writing_ and stopping_
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::string waiting_;   // whole lines, each with its line break
  bool writing_ = false;  // a batch has left waiting_ and is not yet out
  bool stopping_ = false;

  std::atomic<std::chrono::steady_clock::time_point> give_up_at_{
      std::chrono::steady_clock::time_point::max()};
  std::uint64_t reported_ = 0;  // of dropped_; the writer's own
  std::thread writer_;
};

namespace {

// The sink is a plain function, so what it needs is reached from here. The lock keeps a line that
// is being taken and the end of the writer apart; loggers share it.
std::shared_mutex current_mutex;
LogQueue* current = nullptr;

void to_current(const LogLine& line) {
  const std::shared_lock lock(current_mutex);
  if (current) return current->take(line);
  const std::string text = text_line(line, std::chrono::system_clock::now()) + '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

void LogQueue::take(const LogLine& line) {
  const std::string text = formatted(line);
  const std::lock_guard lock(mutex_);
  if (waiting_.size() + text.size() > LogWriter::kQueueBytesMax) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const bool was_empty = waiting_.empty();
  waiting_ += text;
  if (was_empty) wake_.notify_one();
}

void LogQueue::run() {
  std::string batch;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      writing_ = false;
      if (waiting_.empty()) idle_.notify_all();
      wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;  // stopping, and all is written
      batch.clear();
      batch.swap(waiting_);
      writing_ = true;
    }
    if (!write_all(batch)) {
      const auto lines = std::count(batch.begin(), batch.end(), '\n');
      dropped_.fetch_add(static_cast<std::uint64_t>(lines), std::memory_order_relaxed);
    } else if (const std::string report = report_of_loss(); !report.empty()) {
      write_all(report);
    }
    if (give_up()) return;
  }
}

void LogQueue::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait_for(lock, LogWriter::kFlushWait, [&] { return waiting_.empty() && !writing_; });
}

void LogQueue::finish() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    give_up_at_ = std::chrono::steady_clock::now() + LogWriter::kFlushWait;
  }
  wake_.notify_one();
  writer_.join();
}

std::string LogQueue::report_of_loss() {
  const std::uint64_t lost = dropped();
  if (lost == reported_) return {};
  const std::uint64_t fresh = lost - std::exchange(reported_, lost);
  return formatted(LogLine{LogLevel::warning,
                           "log",
                           "Lines were lost because the log did not keep up",
                           {{"lines", fresh}}});
}

bool LogQueue::give_up() const { return std::chrono::steady_clock::now() >= give_up_at_.load(); }

/// False when the descriptor refuses the bytes, for example with ENOSPC or EPIPE, or when the end
/// has no more time. What was left is lost; the next batch tries again.
bool LogQueue::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    if (give_up() || !write_some(bytes)) return false;
  }
  return true;
}

/// One poll and one write at most. False when the descriptor fails.
bool LogQueue::write_some(std::string_view& bytes) {
  pollfd ready{descriptor_, POLLOUT, 0};
  if (::poll(&ready, 1, kPollMs) <= 0) return true;
  const ssize_t n = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kWriteBytesMax));
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  bytes.remove_prefix(static_cast<std::size_t>(n));
  return true;
}

LogWriter::LogWriter(LogFormat format, LogLevel level, int descriptor)
    : queue_(std::make_unique<LogQueue>(format, descriptor)) {
  queue_->start();
  {
    const std::unique_lock lock(current_mutex);
    current = queue_.get();
  }
  set_log_sink(&to_current, level);
}

LogWriter::~LogWriter() {
  {
    const std::unique_lock lock(current_mutex);
    current = nullptr;
  }
  queue_->finish();
}

void LogWriter::flush() noexcept { queue_->flush(); }

std::uint64_t LogWriter::dropped() const noexcept { return queue_->dropped(); }

}  // namespace rp::node
