#include "handlers/linger/message_options.h"

#include <limits>
#include <stdexcept>
#include <utility>

#include "handlers/linger/text.h"

namespace rp::handlers::linger {
namespace {

using queue::Milliseconds;

// The last moment that `at` may name, far beyond what a message may be delayed.
constexpr Milliseconds kTimeMax{1'000'000'000'000'000};

/// A parameter that is an integer, for `to` as `make` has it; nothing where it is not given.
template <class T, class Make>
std::optional<Refused> take(const Parameters& parameters, std::string_view name, std::int64_t least,
                            std::int64_t most, const char* complaint, T& to, Make make) {
  const auto* const text = parameters.find(name);
  if (text == nullptr) return std::nullopt;
  const auto value = parse_integer(*text);
  if (!value || *value < least || *value > most) return Refused{400, complaint};
  to = make(*value);
  return std::nullopt;
}

constexpr std::int64_t kSecondsMax = queue::kDurationMax.count() / 1'000;

Milliseconds seconds(std::int64_t value) { return Milliseconds(value * 1'000); }

/// The four parameters of Linger's, which messages, subscriptions and channels have alike.
template <class Options>
std::optional<Refused> take_limits(const Parameters& parameters, Options& options) {
  auto wrong = take(parameters, "timeout", 1, kSecondsMax, "Invalid message visibility timeout.",
                    options.visibility, seconds);
  if (wrong) return wrong;
  wrong = take(parameters, "deliver", 0, std::numeric_limits<std::uint32_t>::max(),
               "Invalid message delivery limit.", options.deliveries_max,
               [](std::int64_t value) { return static_cast<std::uint32_t>(value); });
  if (wrong) return wrong;
  return take(parameters, "linger", 0, kSecondsMax, "Invalid message delivery limit.",
              options.retention, seconds);
}

template <class Options>
std::optional<Refused> take_priority(const Parameters& parameters, Options& options) {
  return take(parameters, "priority", std::numeric_limits<std::int64_t>::min(),
              std::numeric_limits<std::int64_t>::max(), "Invalid message priority.",
              options.priority, [](std::int64_t value) { return value; });
}

/// A dead-letter channel that no path could name would keep what falls into it.
std::optional<Refused> refuse_dead(const Parameters& parameters) {
  const auto* const dead = parameters.find("dead");
  if (dead == nullptr || dead->empty() || is_name(*dead)) return std::nullopt;
  return Refused{400, "Invalid dead-letter channel, a name has no control characters."};
}

/// `delay` and `at`, of which the second goes before the first.
template <class Options>
std::optional<Refused> take_delay(const Parameters& parameters, Options& options) {
  const auto delay = read_seconds(parameters, "delay", "message delay");
  if (!delay) return delay.error();
  options.delay = delay->value_or(Milliseconds(0));
  const auto* const at = parameters.find("at");
  if (at == nullptr) return std::nullopt;
  const auto time = parse_seconds(*at, kTimeMax);
  if (!time) {
    return Refused{400,
                   "Invalid message time, accepted are seconds since 1970, such as 1700000000."};
  }
  options.at = queue::WallTime(*time);
  return std::nullopt;
}

}  // namespace

void throw_exception_from_error(const Refused& refused, const boost::source_location& /*at*/) {
  throw std::logic_error(refused.reason);
}

Read<std::optional<Milliseconds>> read_seconds(const Parameters& parameters, std::string_view name,
                                               std::string_view what, Zero zero) {
  const auto* const text = parameters.find(name);
  if (text == nullptr) return std::optional<Milliseconds>();
  const auto time = parse_seconds(*text, queue::kDurationMax);
  const bool is_refused = zero == Zero::refused && time == Milliseconds(0);
  if (time && !is_refused) return time;
  return Refused{400, "Invalid " + std::string(what) + ", accepted are seconds " +
                          (zero == Zero::refused ? "above 0" : "from 0") + ", such as 60 or 0.5."};
}

Read<std::optional<Milliseconds>> read_lease_length(const Parameters& parameters) {
  const auto* const text = parameters.find("lease");
  if (text != nullptr && text->empty()) return std::optional<Milliseconds>();
  return read_seconds(parameters, "lease", "lease", Zero::refused);
}

std::optional<Refused> refuse_others(const Parameters& parameters, std::string_view accepted,
                                     std::string_view what) {
  const auto other = parameters.other_than(accepted);
  if (!other) return std::nullopt;
  std::string list = accepted.empty() ? " is none" : " are ";
  for (const char c : accepted) list += c == ' ' ? ", " : std::string(1, c);
  return Refused{400, "Unknown " + std::string(what) + ' ' + *other + ", accepted" + list + '.'};
}

Read<std::uint64_t> read_count(const Parameters& parameters, std::string_view name,
                               std::uint64_t least, std::uint64_t most, std::uint64_t otherwise) {
  const auto* const text = parameters.find(name);
  if (text == nullptr) return Read<std::uint64_t>(otherwise);
  const auto value = parse_integer(*text);
  if (value && std::cmp_greater_equal(*value, least) && std::cmp_less_equal(*value, most)) {
    return Read<std::uint64_t>(static_cast<std::uint64_t>(*value));
  }
  return Refused{400, "Invalid " + std::string(name) + ", accepted is " + std::to_string(least) +
                          " to " + std::to_string(most) + '.'};
}

Read<queue::NewMessage> read_message(const Parameters& parameters) {
  queue::NewMessage message;
  if (auto wrong = take_priority(parameters, message)) return *wrong;
  if (auto wrong = take_limits(parameters, message)) return *wrong;
  if (auto wrong = take_delay(parameters, message)) return *wrong;
  if (const auto* const id = parameters.find("dedup")) {
    if (id->empty() || id->size() > queue::kDedupIdBytesMax) {
      return Refused{400, "Invalid dedup id, accepted is 1 to 255 bytes."};
    }
    message.dedup_id = *id;
  }
  if (auto wrong = refuse_dead(parameters)) return *wrong;
  return message;
}

Read<queue::Subscription> read_subscription(const Parameters& parameters) {
  queue::Subscription subscription;
  if (auto wrong = take_priority(parameters, subscription)) return *wrong;
  if (auto wrong = take_limits(parameters, subscription)) return *wrong;
  if (const auto* const group = parameters.find("group")) {
    if (group->size() > queue::kGroupBytesMax) {
      return Refused{400, "Invalid group, accepted is up to 255 bytes."};
    }
    subscription.group = *group;
  }
  if (auto wrong = refuse_dead(parameters)) return *wrong;
  return subscription;
}

Read<queue::Publication> read_publication(const Parameters& parameters) {
  queue::Publication publication;
  if (auto wrong = take_delay(parameters, publication)) return *wrong;
  publication.all_or_nothing = parameters.has("strict");
  return publication;
}

Read<queue::ChannelSettings> read_settings(const Parameters& parameters) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  queue::ChannelSettings settings;
  if (auto wrong = take_limits(parameters, settings)) return *wrong;
  const auto messages = read_count(parameters, "hlm", 0, kMost, 0);
  if (!messages) return messages.error();
  settings.messages_max = *messages;
  const auto bytes = read_count(parameters, "hlm-bytes", 0, kMost, 0);
  if (!bytes) return bytes.error();
  settings.body_bytes_max = *bytes;
  const auto window = read_seconds(parameters, "window", "dedup window", Zero::refused);
  if (!window) return window.error();
  if (*window) settings.dedup_window = **window;
  if (auto wrong = refuse_dead(parameters)) return *wrong;
  if (const auto* const dead = parameters.find("dead")) settings.dead_channel = *dead;
  return settings;
}

std::optional<Refused> refuse_body(std::size_t bytes) {
  if (bytes == 0) return Refused{400, "Message is empty."};
  if (bytes <= kMessageBytesMax) return std::nullopt;
  return Refused{400, "The message size " + std::to_string(bytes) +
                          " bytes exceed the maximum allowed " + std::to_string(kMessageBytesMax) +
                          " bytes."};
}

}  // namespace rp::handlers::linger
