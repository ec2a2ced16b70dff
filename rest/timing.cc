#include "rest/timing.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

#include "pipe/log.h"

namespace rp::rest {
namespace {

/// "0.041"
void append_ms(std::string& out, Timing::Duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  const auto count = static_cast<std::uint64_t>(us > 0 ? us : 0);
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, count / 1000).ptr;
  out.append(text, end);
  const auto part = static_cast<unsigned>(count % 1000);
  const char digits[] = {'.', static_cast<char>('0' + part / 100),
                         static_cast<char>('0' + part / 10 % 10),
                         static_cast<char>('0' + part % 10)};
  out.append(digits, sizeof digits);
}

std::array<std::pair<std::string_view, Timing::Duration>, 5> parts_of(const Timing& timing) {
  return {{{"gate", timing.gate},
           {"queue", timing.queue},
           {"wire", timing.wire},
           {"handler", timing.handler},
           {"back", timing.back}}};
}

std::string in_ms(Timing::Duration duration) {
  std::string text;
  append_ms(text, duration);
  return text;
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
  out += "Server-Timing: ";
  bool first = true;
  for (const auto& [name, duration] : parts_of(timing)) {
    if (!std::exchange(first, false)) out += ", ";
    out.append(name).append(";dur=");
    append_ms(out, duration);
  }
  out += "\r\n";
}

}  // namespace rp::rest
