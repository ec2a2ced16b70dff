#include "tools/restpipe/queue_work.h"

#include <functional>
#include <iostream>

#include <CLI/Error.hpp>
#include <boost/json.hpp>

#include "handlers/linger/array_elements.h"
#include "node/config_values.h"
#include "node/escape.h"
#include "queue/message.h"
#include "tools/restpipe/request_data.h"

namespace rp::tools {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kPatience{30'000};  // beyond what the request itself waits
constexpr int kNothing = 1;                             // take found no message

std::string channel_path(const QueueOptions& options, const std::string& what = "") {
  return "/channels/" + path_part(options.name) + what;
}

QueueRequest make_request(const QueueOptions& options, std::string method, std::string path) {
  QueueRequest request{.method = std::move(method), .path = std::move(path), .timeout = kPatience};
  for (const auto& [name, value] : options.parameters) request.parameters.emplace_back(name, value);
  return request;
}

void add_message(const QueueOptions& options, QueueRequest& request) {
  request.content_type = options.type;
  request.body = load_data(options.data, "DATA");
}

int print(std::string_view text) {
  std::cout << text;
  if (!text.ends_with('\n')) std::cout << '\n';
  return std::cout.flush() ? 0 : kOutputFailed;
}

/// One member of a JSON answer.
std::string member(const std::string& body, const char* key) {
  json::error_code error;
  const auto document = json::parse(body, error);
  const auto* const value =
      !error && document.is_object() ? document.as_object().if_contains(key) : nullptr;
  if (value == nullptr) throw QueueRefusal("the answer is not one of a message queue");
  return json::serialize(*value);
}

/// The elements of the first array in a JSON text, as they are written there.
std::vector<std::string_view> elements_in(std::string_view text) {
  std::vector<std::string_view> elements;
  const auto begin = text.find('[');
  if (begin == std::string_view::npos) return elements;
  text.remove_prefix(begin + 1);
  while (const auto element = handlers::linger::take_element(text)) {
    if (!element->text.empty()) elements.push_back(element->text);
    if (element->last) break;
  }
  return elements;
}

void print_headers(const HttpHead& head) {
  for (const auto& [name, value] : head.headers) {
    const bool ours = name.starts_with("x-linger-") || name == "Content-Type";
    if (ours) std::cout << name << ": " << value << '\n';
  }
  std::cout << '\n';
}

/// Refuses what cannot name a message, before anything is asked.
void check_messages(const QueueOptions& options, bool ids_too) {
  for (const auto& message : options.messages) {
    const bool is_id = ids_too && node::parse_count(message).has_value();
    if (is_id || queue::lease_from_text(message)) continue;
    throw CLI::ValidationError(ids_too ? "LEASE|ID" : "LEASE",
                               node::json_quoted(message) + " is no " +
                                   (ids_too ? "id and no " : "") +
                                   "lease; accepted: " + (ids_too ? "12 or " : "") +
                                   "12-0123456789abcdef, as x-linger-lease has it");
  }
}

/// "/messages/12" for the id 12 and for the lease 12-0123456789abcdef.
std::string message_path(const std::string& message) {
  return "/messages/" + message.substr(0, message.find('-'));
}

int for_each_message(const QueueOptions& options, const char* command,
                     const std::function<QueueRequest(const std::string& message)>& make) {
  int exit_code = 0;
  for (const auto& message : options.messages) {
    try {
      ask_queue(options.node, make(message));
    } catch (const QueueRefusal& refusal) {
      std::cerr << "restpipe queue " << command << ": " << message << ": " << refusal.what()
                << '\n';
      exit_code = kHttpError;
    }
  }
  return exit_code;
}

}  // namespace

int put_message(const QueueOptions& options) {
  auto request = make_request(options, "POST", channel_path(options));
  add_message(options, request);
  return print(member(ask_queue(options.node, request).body, "id"));
}

int publish_message(const QueueOptions& options) {
  auto request = make_request(options, "POST", "/topics/" + path_part(options.name));
  add_message(options, request);
  if (options.all_or_none) request.parameters.emplace_back("strict", "1");
  const auto answer = ask_queue(options.node, request);
  const auto left_out = answer.header("x-linger-refused");
  if (!left_out.empty()) {
    std::cerr << "restpipe pub: these channels had no room: " << left_out << '\n';
  }
  return print(answer.body);
}

int subscribe_channel(const QueueOptions& options) {
  const auto path = "/channels/" + path_part(options.other) + "/topics/" + path_part(options.name);
  ask_queue(options.node, make_request(options, options.remove ? "DELETE" : "PUT", path));
  return 0;
}

int take_message(const QueueOptions& options) {
  auto request = make_request(options, "GET", channel_path(options));
  const auto wait = options.parameters.find("wait");
  if (wait == options.parameters.end()) {
    request.parameters.emplace_back("nowait", "1");
  } else if (const auto time = node::parse_duration(wait->second)) {
    request.timeout += *time;
    request.call_timeout = *time + kPatience;
  }
  if (!options.parameters.contains("lease")) request.parameters.emplace_back("lease", "");
  const auto answer = ask_queue(options.node, request);
  if (answer.head.status == 204) return kNothing;
  if (options.with_head) print_headers(answer.head);
  std::cout << answer.body;
  // What was not seen is not acknowledged, and comes again.
  if (!std::cout.flush()) return kOutputFailed;
  if (!options.acknowledge) return 0;
  ask_queue(options.node, {.method = "DELETE",
                           .path = "/messages/" + answer.header("x-linger-msg-id"),
                           .parameters = {{"lease", answer.header("x-linger-lease")}},
                           .timeout = kPatience});
  return 0;
}

int acknowledge_messages(const QueueOptions& options) {
  check_messages(options, true);
  return for_each_message(options, "ack", [&](const std::string& message) {
    auto request = make_request(options, "DELETE", message_path(message));
    if (queue::lease_from_text(message)) request.parameters.emplace_back("lease", message);
    return request;
  });
}

int give_messages_back(const QueueOptions& options) {
  check_messages(options, false);
  return for_each_message(options, "nack", [&](const std::string& lease) {
    auto request = make_request(options, "POST", message_path(lease) + "/nack");
    request.parameters.emplace_back("lease", lease);
    if (options.reject) request.parameters.emplace_back("reject", "1");
    return request;
  });
}

int peek_messages(const QueueOptions& options) {
  const auto answer =
      ask_queue(options.node, make_request(options, "GET", channel_path(options, "/messages")));
  for (const auto message : elements_in(answer.body)) {
    if (const int failed = print(message)) return failed;
  }
  return 0;
}

int print_stats(const QueueOptions& options) {
  auto request = make_request(options, "GET",
                              options.name.empty() ? "/stats" : channel_path(options, "/stats"));
  if (!options.name.empty()) request.parameters.emplace_back("all", "1");
  return print(ask_queue(options.node, request).body);
}

int purge_channel(const QueueOptions& options) {
  ask_queue(options.node, make_request(options, "DELETE", channel_path(options)));
  return 0;
}

int pause_channel(const QueueOptions& options) {
  ask_queue(options.node, make_request(options, "POST", channel_path(options, "/pause")));
  return 0;
}

int resume_channel(const QueueOptions& options) {
  ask_queue(options.node, make_request(options, "POST", channel_path(options, "/resume")));
  return 0;
}

int redrive_channel(const QueueOptions& options) {
  const auto request = make_request(options, "POST", channel_path(options, "/redrive"));
  return print(member(ask_queue(options.node, request).body, "moved"));
}

}  // namespace rp::tools
