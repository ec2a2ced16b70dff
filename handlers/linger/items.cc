#include "handlers/linger/items.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <boost/json.hpp>

#include "handlers/linger/array_elements.h"
#include "handlers/linger/text.h"
#include "handlers/local/header_text.h"
#include "pipe/base64.h"

namespace rp::handlers::linger {
namespace {

namespace json = boost::json;

// A message in base64, or with every byte as \u00XX, and its parameters.
constexpr std::size_t kItemBytesMax = 6 * kMessageBytesMax + 16'384;

// Of a message; what makes no sense for one of many is not among them.
constexpr std::string_view kMembers =
    "body body64 type priority timeout deliver linger delay at dedup";

Refused too_many() {
  return {400, "Too many items, accepted is 1 to " + std::to_string(queue::kBatchMax) + '.'};
}

/// Of what follows the '['.
Read<std::vector<std::string_view>> split_array(std::string_view text) {
  std::vector<std::string_view> items;
  if (without_outer_blanks(text) == "]") return items;
  while (const auto element = take_element(text)) {
    if (items.size() == queue::kBatchMax) return too_many();
    items.push_back(element->text);
    if (!element->last) continue;
    if (!text.empty()) return Refused{400, "Something stands behind the array."};
    return items;
  }
  return Refused{400, "The array does not end."};
}

Read<std::vector<std::string_view>> split_lines(std::string_view text) {
  std::vector<std::string_view> items;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto item = without_outer_blanks(line);
    if (item.empty()) continue;
    if (items.size() == queue::kBatchMax) return too_many();
    items.push_back(item);
  }
  return items;
}

Read<json::value> parse(std::string_view item) {
  if (item.size() > kItemBytesMax) return Refused{400, "The item is too long."};
  json::error_code error;
  auto value = json::parse(item, error);
  if (error) return Refused{400, "The item is not JSON."};
  return value;
}

/// A parameter's value as it would stand in a query; nothing for what cannot be one.
std::optional<std::string> parameter_text(const json::value& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (value.is_int64() || value.is_uint64()) return json::serialize(value);
  if (!value.is_double() || value.as_double() < 0 || value.as_double() > 1e15) return std::nullopt;
  std::array<char, 64> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(),
                                          value.as_double(), std::chars_format::fixed);
  return std::string(digits.data(), end);
}

bool is_content(std::string_view key) { return key == "body" || key == "body64" || key == "type"; }

/// Takes the members as parameters, all or those that are no content.
std::optional<Refused> add_parameters(const json::object& object, bool with_content,
                                      Parameters& parameters) {
  for (const auto& [key, value] : object) {
    if (!with_content && is_content(key)) continue;
    const auto text = parameter_text(value);
    if (!text) {
      return Refused{400, "Invalid " + shown(std::string_view(key).substr(0, 64)) +
                              ", accepted is a text or a number."};
    }
    parameters.set(key, *text);
  }
  return std::nullopt;
}

std::optional<Refused> read_content(const json::object& object, queue::NewMessage& message) {
  const auto text_of = [&](const char* key) -> std::optional<std::string> {
    const auto* const value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->as_string());
  };
  const auto type = object.contains("type") ? text_of("type") : "text/plain";
  if (!type || !is_header_value(*type)) return Refused{400, "Invalid content type."};
  message.content_type = *type;
  if (object.contains("body64")) {
    if (object.contains("body")) return Refused{400, "A message has body or body64, not both."};
    const auto encoded = text_of("body64");
    auto bytes = encoded ? pipe::base64_decoded(*encoded) : std::nullopt;
    if (!bytes) return Refused{400, "Invalid base64."};
    message.body = std::move(*bytes);
  } else if (object.contains("body")) {
    auto text = text_of("body");
    if (!text) return Refused{400, "Invalid body, accepted is text; bytes go into body64."};
    message.body = std::move(*text);
  }
  return refuse_body(message.body.size());
}

}  // namespace

Read<std::vector<std::string_view>> split_items(std::string_view body) {
  body = without_outer_blanks(body);
  auto items = body.starts_with('[') ? split_array(body.substr(1)) : split_lines(body);
  if (items && items->empty()) {
    return Refused{400, "No items, accepted is a JSON array or one JSON value on each line."};
  }
  return items;
}

Read<queue::NewMessage> read_message_item(std::string_view item) {
  const auto value = parse(item);
  if (!value) return value.error();
  json::object object;
  if (value->is_string()) {
    object["body"] = value->as_string();
  } else if (value->is_object()) {
    object = value->as_object();
  } else {
    return Refused{400, "A message is a JSON string or object."};
  }
  Parameters parameters;
  if (const auto wrong = add_parameters(object, false, parameters)) return *wrong;
  if (const auto wrong = refuse_others(parameters, kMembers, "member")) return *wrong;
  auto message = read_message(parameters);
  if (!message) return message;
  if (const auto wrong = read_content(object, *message)) return *wrong;
  return message;
}

std::optional<Refused> add_members(std::string_view text, Parameters& parameters) {
  const auto value = parse(text);
  if (!value || !value->is_object()) return Refused{400, "The body is no JSON object."};
  return add_parameters(value->as_object(), true, parameters);
}

Read<AckItem> read_ack_item(std::string_view item) {
  const auto value = parse(item);
  if (!value) return value.error();
  AckItem result;
  if (value->is_string()) {
    result.lease = queue::lease_from_text(std::string_view(value->as_string()));
    if (result.lease) return result;
  } else if (value->is_int64() && value->as_int64() >= 0) {
    result.id = static_cast<queue::MessageId>(value->as_int64());
    return result;
  } else if (value->is_uint64()) {
    result.id = value->as_uint64();
    return result;
  }
  return Refused{400, "An item is the id of a message or a lease."};
}

}  // namespace rp::handlers::linger
