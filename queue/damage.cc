#include "queue/damage.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace rp::queue {
namespace {

// A letter and three numbers: the longest key whose end is a number.
constexpr std::size_t kWidth = 25;

/// The key as a number of kWidth bytes, plus two to the power of `bit`. Empty if that overflows.
std::string plus_bit(std::string key, std::size_t bit) {
  auto at = kWidth - 1 - bit / 8;
  auto carry = 1U << (bit % 8);
  for (;;) {
    const auto sum = static_cast<unsigned char>(key[at]) + carry;
    key[at] = static_cast<char>(sum & 0xFF);
    carry = sum >> 8;
    if (carry == 0) return key;
    if (at == 0) return {};
    --at;
  }
}

}  // namespace

std::string end_of_damage(std::string_view from, std::string_view last,
                          const std::function<bool(const std::string&)>& readable) {
  std::string start(from.substr(0, kWidth));
  start.resize(kWidth, '\0');
  std::size_t bit = 0;
  std::string end;
  for (; bit < 8 * kWidth; ++bit) {
    end = plus_bit(start, bit);
    if (end.empty() || end >= last) end = last;
    if (end == last || readable(end)) break;
  }
  // Between half of the step, which was unreadable, and the whole of it.
  auto unreadable = start;
  if (bit > 0) unreadable = plus_bit(start, bit - 1);
  while (bit > 0) {
    --bit;
    auto middle = plus_bit(unreadable, bit);
    if (middle.empty() || middle >= end) continue;
    if (readable(middle)) {
      end = std::move(middle);
    } else {
      unreadable = std::move(middle);
    }
  }
  // A key longer than kWidth was cut off, and what was found may lie before it.
  return end > from ? end : std::string(last);
}

}  // namespace rp::queue
