#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace rp::handlers::linger {

/// What a path of the API stands for.
enum class Resource : std::uint8_t {
  channels,
  channel,
  batch,     ///< many messages of a channel at once
  messages,  ///< of a channel, looked at and left there
  pause,
  resume,
  redrive,
  settings,
  channel_stats,
  channel_topics,
  subscription,
  topics,
  topic,
  topic_channels,
  ack,  ///< of many messages at once
  message,
  touch,
  nack,
  stats,
};

/// A path taken apart; names are decoded.
struct Route {
  Resource resource{};
  std::string channel{};
  std::string topic{};
  std::string id{};            ///< of a message: digits
  std::string_view methods{};  ///< that the resource has: "GET, POST, DELETE"
};

enum class NoRoute : std::uint8_t {
  unknown,   ///< nothing is there
  bad_name,  ///< a name is no UTF-8 once it is decoded, or holds a control character
};

enum class Spelling : std::uint8_t {
  encoded,  ///< as in a URL: names are of letters, digits, '_', '-' and %XX
  decoded,  ///< names are meant as they stand
};

/// `path` begins with '/'; routes match as a whole.
std::variant<Route, NoRoute> find_route(std::string_view path, Spelling spelling);

}  // namespace rp::handlers::linger
