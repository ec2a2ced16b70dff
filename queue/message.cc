#include "queue/message.h"

#include <charconv>
#include <system_error>

namespace rp::queue {
namespace {

constexpr std::size_t kTokenDigits = 16;

/// The whole of `text` as a number, digits only.
std::optional<std::uint64_t> number_from(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [at, failed] = std::from_chars(text.data(), end, value, base);
  if (failed != std::errc() || at != end) return std::nullopt;
  return value;
}

}  // namespace

std::string to_text(const Lease& lease) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  auto text = std::to_string(lease.id) + '-';
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[(lease.token >> shift) & 15];
  return text;
}

std::optional<Lease> lease_from_text(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos || text.size() != dash + 1 + kTokenDigits) return std::nullopt;
  const auto id = number_from(text.substr(0, dash), 10);
  const auto token = number_from(text.substr(dash + 1), 16);
  if (!id || *id == 0 || !token || *token == 0) return std::nullopt;
  return Lease{*id, *token};
}

std::string_view name(DeathReason reason) noexcept {
  return reason == DeathReason::rejected ? "rejected" : "delivery_limit";
}

std::string_view name(MessageState state) noexcept {
  switch (state) {
    case MessageState::ready:
      return "ready";
    case MessageState::leased:
      return "leased";
    case MessageState::delayed:
      return "delayed";
  }
  return "unknown";
}

}  // namespace rp::queue
