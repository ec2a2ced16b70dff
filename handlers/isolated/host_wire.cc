#include "handlers/isolated/host_wire.h"

#include <charconv>
#include <exception>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>

namespace rp::handlers {
namespace {

namespace json = boost::json;

/// What `read` makes of the object; empty when a member is missing or of another type.
template <class T, class Read>
std::optional<T> decoded(std::string_view text, Read read) {
  try {
    json::parse_options options;
    options.allow_invalid_utf8 = true;  // what a plugin logs is bytes
    return read(json::parse(text, {}, options).as_object());
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::string text_of(const json::object& object, std::string_view key) {
  return json::value_to<std::string>(object.at(key));
}

template <class Number>
Number number_of(const json::object& object, std::string_view key) {
  return object.at(key).to_number<Number>();
}

/// A number of an enumeration that ends with `last`; throws for any other.
template <class Enum>
Enum enum_of(const json::object& object, std::string_view key, Enum last) {
  const auto number = number_of<std::uint8_t>(object, key);
  if (number > static_cast<std::uint8_t>(last)) throw std::out_of_range("no such value");
  return static_cast<Enum>(number);
}

template <class Number>
std::optional<Number> decoded_number(std::string_view text, Number max) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > max) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

pipe::Event host_event(std::string_view noun) {
  pipe::Event event;
  event.verb = "post";
  event.noun = noun;
  event.target = kHostTarget;
  return event;
}

void note_origin(const pipe::Origin& origin, pipe::Event& event) {
  event.caller = origin.node;
  event.target = origin.address + '/' + std::to_string(origin.port);
}

pipe::Origin take_origin(pipe::Event& event, const std::string& caller) {
  pipe::Origin origin;
  origin.node = caller;
  const auto slash = event.target.rfind('/');
  if (slash != std::string::npos) {
    const char* const end = event.target.data() + event.target.size();
    std::from_chars(event.target.data() + slash + 1, end, origin.port);
    origin.address = event.target.substr(0, slash);
  }
  event.target.clear();
  return origin;
}

std::string encode(const HostStart& start) {
  return json::serialize(json::object{{"role", static_cast<std::uint8_t>(start.role)},
                                      {"node", start.node},
                                      {"log_level", static_cast<std::uint8_t>(start.log_level)},
                                      {"workers", start.workers},
                                      {"queued_max", start.queued_max},
                                      {"body_bytes_max", start.body_bytes_max}});
}

std::optional<HostStart> decode_start(std::string_view text) {
  return decoded<HostStart>(text, [](const json::object& object) {
    return HostStart{enum_of(object, "role", Role::client),
                     text_of(object, "node"),
                     enum_of(object, "log_level", LogLevel::off),
                     number_of<std::size_t>(object, "workers"),
                     number_of<std::size_t>(object, "queued_max"),
                     number_of<std::size_t>(object, "body_bytes_max")};
  });
}

std::string encode(const HostedPlugin& plugin) {
  json::array methods;
  for (const auto& method : plugin.methods) {
    methods.push_back(json::array{method.verb, method.noun, method.idempotent});
  }
  return json::serialize(json::object{{"name", plugin.name}, {"methods", std::move(methods)}});
}

std::optional<HostedPlugin> decode_plugin(std::string_view text) {
  return decoded<HostedPlugin>(text, [](const json::object& object) {
    HostedPlugin plugin{text_of(object, "name"), {}};
    for (const auto& method : object.at("methods").as_array()) {
      const auto& parts = method.as_array();
      plugin.methods.push_back({json::value_to<std::string>(parts.at(0)),
                                json::value_to<std::string>(parts.at(1)), parts.at(2).as_bool()});
    }
    return plugin;
  });
}

std::string encode(const HostLogLine& line) {
  json::array fields;
  for (const auto& [key, value] : line.fields) fields.push_back(json::array{key, value});
  return json::serialize(json::object{{"level", static_cast<std::uint8_t>(line.level)},
                                      {"component", line.component},
                                      {"message", line.message},
                                      {"fields", std::move(fields)}});
}

std::optional<HostLogLine> decode_log_line(std::string_view text) {
  return decoded<HostLogLine>(text, [](const json::object& object) {
    HostLogLine line{enum_of(object, "level", LogLevel::error),
                     text_of(object, "component"),
                     text_of(object, "message"),
                     {}};
    for (const auto& field : object.at("fields").as_array()) {
      const auto& pair = field.as_array();
      line.fields.emplace_back(json::value_to<std::string>(pair.at(0)),
                               json::value_to<std::string>(pair.at(1)));
    }
    return line;
  });
}

std::string encode(const StateChange& change) {
  return json::serialize(json::object{{"kind", static_cast<std::uint8_t>(change.kind)},
                                      {"name", change.peer.name},
                                      {"address", change.peer.address},
                                      {"port", change.peer.port},
                                      {"count", change.count},
                                      {"since_s", change.since_s},
                                      {"seconds", change.seconds}});
}

std::optional<StateChange> decode_state(std::string_view text) {
  return decoded<StateChange>(text, [](const json::object& object) {
    return StateChange{enum_of(object, "kind", StateChange::Kind::connect_fail),
                       {text_of(object, "name"), text_of(object, "address"),
                        number_of<std::uint16_t>(object, "port")},
                       number_of<std::uint64_t>(object, "count"),
                       number_of<double>(object, "since_s"),
                       number_of<double>(object, "seconds")};
  });
}

std::string encode(LogLevel level) { return std::to_string(static_cast<int>(level)); }

std::optional<LogLevel> decode_log_level(std::string_view text) {
  const auto number = decoded_number<int>(text, static_cast<int>(LogLevel::off));
  if (!number) return std::nullopt;
  return static_cast<LogLevel>(*number);
}

std::string encode(std::chrono::milliseconds drain) { return std::to_string(drain.count()); }

std::optional<std::chrono::milliseconds> decode_drain(std::string_view text) {
  constexpr std::chrono::milliseconds kMost = std::chrono::hours(1);
  const auto number = decoded_number<std::int64_t>(text, kMost.count());
  if (!number) return std::nullopt;
  return std::chrono::milliseconds(*number);
}

pipe::Hello host_hello() {
  constexpr pipe::Limits limits;
  pipe::Hello hello;
  hello.calls_in_flight_max = limits.calls_in_flight_max;
  hello.stream_window_bytes = limits.stream_window_bytes;
  hello.session_window_bytes = limits.session_window_bytes;
  return hello;
}

}  // namespace rp::handlers
