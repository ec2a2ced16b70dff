#include "pipe/log.h"

#include <atomic>
#include <cstdio>

namespace rp {
namespace {

std::string_view label(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "DEBUG";
    case LogLevel::info:
      return "INFO";
    case LogLevel::warning:
      return "WARN";
    case LogLevel::error:
      return "ERROR";
    case LogLevel::off:
      break;
  }
  return "";
}

void write_to_stderr(const LogLine& line) {
  std::string text;
  text.append(label(line.level)).append(" ").append(line.component).append(" ");
  text.append(line.message);
  for (const LogField& field : line.fields) {
    text.append(" ").append(field.key).append("=").append(log_escaped(field.value));
  }
  text.push_back('\n');
  std::fwrite(text.data(), 1, text.size(), stderr);
}

std::atomic<LogSink> sink{&write_to_stderr};
std::atomic<LogLevel> threshold{LogLevel::warning};

}  // namespace

void set_log_sink(LogSink s, LogLevel level) noexcept {
  sink = s;
  threshold = level;
}

void set_log_level(LogLevel level) noexcept { threshold = level; }

bool log_enabled(LogLevel level) noexcept {
  return level >= threshold.load(std::memory_order_relaxed);
}

std::string log_escaped(std::string_view value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  bool quote = value.empty();
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out.append("\\x").push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else {
      out.push_back(c);
    }
    quote = quote || c == ' ' || c == '=' || c == '"';
  }
  return quote ? '"' + out + '"' : out;
}

void log(LogLevel level, std::string_view component, std::string_view message,
         std::initializer_list<LogField> fields) {
  if (!log_enabled(level)) return;
  sink.load()(LogLine{level, component, message, fields});
}

}  // namespace rp
