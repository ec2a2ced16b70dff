#include "handlers/linger/route.h"

#include <algorithm>
#include <array>
#include <optional>

#include "handlers/linger/text.h"
#include "pipe/percent.h"

namespace rp::handlers::linger {
namespace {

struct Pattern {
  Resource resource;
  std::string_view path;  // {c}: a channel, {t}: a topic, {i}: the digits of an id
  std::string_view methods;
};

constexpr std::array kPatterns{
    Pattern{Resource::channels, "/channels", "GET"},
    Pattern{Resource::channel, "/channels/{c}", "GET, POST, DELETE"},
    Pattern{Resource::batch, "/channels/{c}/batch", "GET, POST"},
    Pattern{Resource::messages, "/channels/{c}/messages", "GET"},
    Pattern{Resource::pause, "/channels/{c}/pause", "POST"},
    Pattern{Resource::resume, "/channels/{c}/resume", "POST"},
    Pattern{Resource::redrive, "/channels/{c}/redrive", "POST"},
    Pattern{Resource::settings, "/channels/{c}/settings", "GET, PUT, DELETE"},
    Pattern{Resource::channel_stats, "/channels/{c}/stats", "GET"},
    Pattern{Resource::channel_topics, "/channels/{c}/topics", "GET"},
    Pattern{Resource::subscription, "/channels/{c}/topics/{t}", "PUT, DELETE"},
    Pattern{Resource::topics, "/topics", "GET"},
    Pattern{Resource::topic, "/topics/{t}", "POST"},
    Pattern{Resource::topic_channels, "/topics/{t}/channels", "GET"},
    Pattern{Resource::ack, "/messages/ack", "POST"},
    Pattern{Resource::message, "/messages/{i}", "DELETE"},
    Pattern{Resource::touch, "/messages/{i}/touch", "POST"},
    Pattern{Resource::nack, "/messages/{i}/nack", "POST"},
    Pattern{Resource::stats, "/stats", "GET"},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_encoded_name_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
         c == '%';
}

/// Takes what stands before the next '/' off the front of `path`, and that '/'.
std::string_view take_part(std::string_view& path) {
  path.remove_prefix(1);
  const auto part = path.substr(0, path.find('/'));
  path.remove_prefix(part.size());
  return part;
}

bool may_be_name(std::string_view part, Spelling spelling) {
  return !part.empty() && (spelling == Spelling::decoded ||
                           std::all_of(part.begin(), part.end(), is_encoded_name_character));
}

/// Whether `part` stands where the pattern has `wanted`; keeps what it names.
bool fits(std::string_view wanted, std::string_view part, Spelling spelling, Route& route) {
  if (wanted == "{i}") {
    route.id = part;
    return !part.empty() && std::all_of(part.begin(), part.end(), is_digit);
  }
  if (wanted != "{c}" && wanted != "{t}") return wanted == part;
  (wanted == "{c}" ? route.channel : route.topic) = part;
  return may_be_name(part, spelling);
}

std::optional<Route> match(const Pattern& pattern, std::string_view path, Spelling spelling) {
  Route route{.resource = pattern.resource, .methods = pattern.methods};
  auto wanted = pattern.path;
  while (!wanted.empty() && !path.empty()) {
    if (!fits(take_part(wanted), take_part(path), spelling, route)) return std::nullopt;
  }
  if (!wanted.empty() || !path.empty()) return std::nullopt;
  return route;
}

}  // namespace

std::variant<Route, NoRoute> find_route(std::string_view path, Spelling spelling) {
  if (!path.starts_with('/')) return NoRoute::unknown;
  for (const auto& pattern : kPatterns) {
    auto route = match(pattern, path, spelling);
    if (!route) continue;
    for (auto* const name : {&route->channel, &route->topic}) {
      if (spelling == Spelling::encoded) *name = pipe::percent_decoded(*name);
      if (!name->empty() && !is_name(*name)) return NoRoute::bad_name;
    }
    return std::move(*route);
  }
  return NoRoute::unknown;
}

}  // namespace rp::handlers::linger
