#include "rest/timing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "pipe/log.h"

namespace rp::rest {
namespace {

// "9223372036854775.807" is the longest.
constexpr std::size_t kMsBytesMax = 24;

/// Writes "0.041" and returns its end; `to` has room for kMsBytesMax.
char* write_ms(char* to, Timing::Duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  const auto count = static_cast<std::uint64_t>(us > 0 ? us : 0);
  to = std::to_chars(to, to + kMsBytesMax, count / 1000).ptr;
  const auto part = static_cast<unsigned>(count % 1000);
  *to++ = '.';
  *to++ = static_cast<char>('0' + part / 100);
  *to++ = static_cast<char>('0' + part / 10 % 10);
  *to++ = static_cast<char>('0' + part % 10);
  return to;
}

std::array<std::pair<std::string_view, Timing::Duration>, 5> parts_of(const Timing& timing) {
  return {{{"gate", timing.gate},
           {"queue", timing.queue},
           {"wire", timing.wire},
           {"handler", timing.handler},
           {"back", timing.back}}};
}

std::string in_ms(Timing::Duration duration) {
  char text[kMsBytesMax];
  return {text, write_ms(text, duration)};
}

}  // namespace

void finish(Timing& timing, pipe::Clock::time_point now) {
  timing.back = now - timing.answered_at;
  if (timing.slow == timing.slow.zero() || timing.total() < timing.slow) return;
  log(LogLevel::info, "rest", "A call was slow",
      {{"request_id", timing.request_id},
       {"method", timing.method},
       {"total_ms", in_ms(timing.total())},
       {"gate_ms", in_ms(timing.gate)},
       {"queue_ms", in_ms(timing.queue)},
       {"wire_ms", in_ms(timing.wire)},
       {"handler_ms", in_ms(timing.handler)},
       {"back_ms", in_ms(timing.back)}});
}

void append_server_timing(std::string& out, const Timing& timing) {
  std::array<char, 256> line;  // every answer has one: one append is a tenth of twenty
  char* to = line.data();
  const auto write = [&to](std::string_view text) { to = std::copy(text.begin(), text.end(), to); };
  write("Server-Timing: ");
  std::string_view separator;
  for (const auto& [name, duration] : parts_of(timing)) {
    write(std::exchange(separator, ", "));
    write(name);
    write(";dur=");
    to = write_ms(to, duration);
  }
  write("\r\n");
  out.append(line.data(), to);
}

}  // namespace rp::rest
