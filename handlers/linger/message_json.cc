#include "handlers/linger/message_json.h"

#include <algorithm>
#include <string_view>

#include "handlers/linger/text.h"
#include "handlers/sdk/json_text.hpp"
#include "pipe/base64.h"
#include "pipe/utf8.h"

namespace rp::handlers::linger {
namespace {

using queue::Milliseconds;

/// Members one after another, in the order in which they are added.
class ObjectText {
 public:
  template <class T>
  void add(std::string_view key, const T& value) {
    add_text(key, Json(value).text());
  }
  void add_text(std::string_view key, std::string_view json) {
    text_.append(text_.size() > 1 ? ", " : "");
    append_json_string(text_, key);
    text_.append(": ").append(json);
  }
  void add_seconds(std::string_view key, Milliseconds time) { add_text(key, seconds_text(time)); }
  std::string take() { return std::move(text_) + '}'; }

 private:
  std::string text_ = "{";
};

std::string deaths_json(const std::vector<queue::Death>& deaths) {
  std::vector<std::string> items;
  for (const auto& death : deaths) {
    ObjectText item;
    item.add("channel", death.channel);
    item.add("reason", name(death.reason));
    item.add_seconds("at", death.died_at.time_since_epoch());
    item.add("delivered", death.delivered);
    items.push_back(item.take());
  }
  return json_array(items);
}

/// Text that JSON shows as text. Everything else is shorter in base64.
bool is_text(std::string_view body) {
  const auto is_other_control = [](char c) {
    return c >= 0 && c < 0x20 && c != '\t' && c != '\n' && c != '\r';
  };
  return pipe::is_utf8(body) && std::none_of(body.begin(), body.end(), is_other_control);
}

void add_message(ObjectText& object, const queue::Message& message) {
  object.add("id", message.id);
  object.add("channel", message.channel);
  object.add("topic", message.topic);
  object.add("priority", message.priority);
  object.add_seconds("timeout", message.visibility);
  object.add("deliver", message.deliveries_max);
  object.add("delivered", message.delivered);
  object.add_seconds("linger", message.retention);
  object.add_seconds("received", message.age);
  if (!message.deaths.empty()) object.add_text("deaths", deaths_json(message.deaths));
  object.add("type", message.content_type);
  if (is_text(message.body)) {
    object.add("body", message.body);
  } else {
    object.add("body64", pipe::base64(message.body));
  }
}

}  // namespace

std::string json_array(const std::vector<std::string>& items) {
  std::string text = "[";
  for (const auto& item : items) text.append(text.size() > 1 ? ", " : "").append(item);
  return text + ']';
}

std::string json_of(const queue::Delivery& delivery) {
  ObjectText object;
  add_message(object, delivery.message);
  object.add("lease", to_text(delivery.lease));
  return object.take();
}

std::string json_of(const queue::Listed& listed) {
  ObjectText object;
  object.add("state", name(listed.state));
  object.add_seconds("shown_in", listed.shown_in);
  add_message(object, listed.message);
  return object.take();
}

}  // namespace rp::handlers::linger
