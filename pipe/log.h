#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

/// Structured logging as the libraries see it: a level, a component, a sentence and named fields.
/// Where lines go and how they look is decided once, by the program, through set_log_sink().
namespace rp {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };

/// One `key=value` of a line. Values are escaped by the sink, so callers pass them raw; they never
/// hold a secret, a key or a payload.
struct LogField {
  std::string_view key;
  std::string value;

  LogField(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  template <class Number>
  requires std::is_arithmetic_v<Number> LogField(std::string_view k, Number v)
      : key(k), value(std::to_string(v)) {}
};

struct LogLine {
  LogLevel level;
  std::string_view component;  ///< "pipe", "rest", "server", ...
  std::string_view message;    ///< a sentence without variable parts; those are fields
  std::initializer_list<LogField> fields;
};

/// Takes every line at or above the level. Called from any thread.
using LogSink = void (*)(const LogLine&);

/// Set by the program before threads start. The default writes plain text to stderr.
void set_log_sink(LogSink sink, LogLevel level) noexcept;
void set_log_level(LogLevel level) noexcept;
bool log_enabled(LogLevel level) noexcept;

/// `value` with control bytes, quotes and backslashes escaped, so that one field stays one field.
std::string log_escaped(std::string_view value);

void log(LogLevel level, std::string_view component, std::string_view message,
         std::initializer_list<LogField> fields = {});

}  // namespace rp
