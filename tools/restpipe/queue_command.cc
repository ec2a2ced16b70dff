#include <iostream>
#include <map>
#include <memory>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json.hpp>

#include "node/config_values.h"
#include "tools/restpipe/commands.h"
#include "tools/restpipe/queue_client.h"
#include "tools/restpipe/request_data.h"

namespace rp::tools {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kPatience{30'000};  // beyond what the request itself waits
constexpr int kNothing = 1;                             // take found no message

/// What any of the commands may be given; each adds the options that it has.
struct Options {
  QueueNode node;
  std::string name;   // of the channel, or the topic
  std::string other;  // of the channel that subscribes
  std::vector<std::string> messages;
  std::string data;
  std::map<std::string, std::string> parameters;  // of the request, by their names there
  bool acknowledge = false;
  bool with_head = false;
  bool reject = false;
  bool all_or_none = false;
  bool remove = false;
};
using Shared = std::shared_ptr<Options>;
using Work = int (*)(const Options&);

std::string channel_path(const Options& options, const std::string& what = "") {
  return "/channels/" + path_part(options.name) + what;
}

QueueRequest make_request(const Options& options, std::string method, std::string path) {
  QueueRequest request{.method = std::move(method), .path = std::move(path), .timeout = kPatience};
  for (const auto& [name, value] : options.parameters) {
    if (name != "type") request.parameters.emplace_back(name, value);
  }
  return request;
}

void add_message(const Options& options, QueueRequest& request) {
  const auto type = options.parameters.find("type");
  request.content_type = type == options.parameters.end() ? "text/plain" : type->second;
  request.body = load_data(options.data);
}

int print(std::string_view text) {
  std::cout << text;
  if (!text.ends_with('\n')) std::cout << '\n';
  return std::cout.flush() ? 0 : kOutputFailed;
}

/// One member of a JSON answer; the whole of it where there is none.
std::string member(const std::string& body, const char* key) {
  json::error_code error;
  const auto document = json::parse(body, error);
  const auto* const value =
      !error && document.is_object() ? document.as_object().if_contains(key) : nullptr;
  return value != nullptr ? json::serialize(*value) : body;
}

int put(const Options& options) {
  auto request = make_request(options, "POST", channel_path(options));
  add_message(options, request);
  return print(member(ask_queue(options.node, request).body, "id"));
}

int publish(const Options& options) {
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

int subscribe(const Options& options) {
  const auto path = "/channels/" + path_part(options.other) + "/topics/" + path_part(options.name);
  ask_queue(options.node, make_request(options, options.remove ? "DELETE" : "PUT", path));
  return 0;
}

void print_headers(const HttpHead& head) {
  for (const auto& [name, value] : head.headers) {
    const bool ours = name.starts_with("x-linger-") || name == "Content-Type";
    if (ours) std::cout << name << ": " << value << '\n';
  }
  std::cout << '\n';
}

int take(const Options& options) {
  auto request = make_request(options, "GET", channel_path(options));
  const auto wait = options.parameters.find("wait");
  if (wait != options.parameters.end()) {
    const auto time = node::parse_duration(wait->second);
    if (!time) throw CLI::ValidationError("--wait", "\"" + wait->second + "\" is no time");
    request.timeout += *time;
  } else {
    request.parameters.emplace_back("nowait", "1");
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

bool is_lease(const std::string& text) { return text.find('-') != std::string::npos; }

/// "/messages/12" for the id 12 and for the lease 12-0123456789abcdef.
std::string message_path(const std::string& message) {
  return "/messages/" + path_part(message.substr(0, message.find('-')));
}

int acknowledge(const Options& options) {
  for (const auto& message : options.messages) {
    auto request = make_request(options, "DELETE", message_path(message));
    if (is_lease(message)) request.parameters.emplace_back("lease", message);
    ask_queue(options.node, request);
  }
  return 0;
}

int give_back(const Options& options) {
  for (const auto& lease : options.messages) {
    auto request = make_request(options, "POST", message_path(lease) + "/nack");
    request.parameters.emplace_back("lease", lease);
    if (options.reject) request.parameters.emplace_back("reject", "1");
    ask_queue(options.node, request);
  }
  return 0;
}

int peek(const Options& options) {
  const auto request = make_request(options, "GET", channel_path(options, "/messages"));
  const auto list = json::parse(member(ask_queue(options.node, request).body, "messages"));
  if (!list.is_array()) throw QueueRefusal("the answer is not a list of messages");
  for (const auto& message : list.as_array()) {
    if (const int failed = print(json::serialize(message))) return failed;
  }
  return 0;
}

int stats(const Options& options) {
  const auto path = options.name.empty() ? "/stats" : channel_path(options, "/stats");
  return print(ask_queue(options.node, make_request(options, "GET", path)).body);
}

int purge(const Options& options) {
  ask_queue(options.node, make_request(options, "DELETE", channel_path(options)));
  return 0;
}

int pause(const Options& options) {
  ask_queue(options.node, make_request(options, "POST", channel_path(options, "/pause")));
  return 0;
}

int resume(const Options& options) {
  ask_queue(options.node, make_request(options, "POST", channel_path(options, "/resume")));
  return 0;
}

int redrive(const Options& options) {
  const auto request = make_request(options, "POST", channel_path(options, "/redrive"));
  return print(member(ask_queue(options.node, request).body, "moved"));
}

int run(const std::string& command, const Options& options, Work work) {
  try {
    return work(options);
  } catch (const QueueRefusal& refusal) {
    std::cerr << "restpipe " << command << ": " << refusal.what() << '\n';
    return kHttpError;
  } catch (const HttpFailure& failure) {
    std::cerr << "restpipe " << command << ": " << failure.what() << '\n';
    return exit_code_of(failure.kind);
  }
}

/// Adds options to one command; each becomes a parameter of its request.
class Command {
 public:
  Command(CLI::App& parent, const std::string& name, const std::string& path,
          const std::string& help, Work work, int& exit_code)
      : command_(*parent.add_subcommand(name, help)), options_(std::make_shared<Options>()) {
    command_.add_option("--rest", options_->node.rest, "Front-end of the node to ask")
        ->option_text("HOST:PORT|unix:PATH [127.0.0.1:8989]");
    command_.add_flag("--pipe", options_->node.over_pipe,
                      "Ask a client node (127.0.0.1:8990) for its server's queue");
    command_.callback(
        [options = options_, path, work, &exit_code] { exit_code = run(path, *options, work); });
  }

  Command& channel() { return positional("CHANNEL", options_->name, "Name of the channel"); }
  Command& topic() { return positional("TOPIC", options_->name, "Name of the topic"); }
  Command& reader() { return positional("CHANNEL", options_->other, "Channel that gets copies"); }
  Command& channel_if_any() {
    command_.add_option("CHANNEL", options_->name, "One channel instead of all");
    return *this;
  }
  Command& messages(const std::string& name, const std::string& help) {
    command_.add_option(name, options_->messages, help)->required()->option_text(name + "..");
    return *this;
  }
  Command& data() {
    command_.add_option("DATA", options_->data, "The message, a file, or standard input")
        ->option_text("DATA|@FILE|- [-]");
    options_->data = "-";
    return parameter("type", "--type", "TYPE [text/plain]", "Content type");
  }
  Command& limits() {
    parameter("priority", "--priority", "N [0]", "Lower is delivered first");
    parameter("timeout", "--timeout", "SECONDS [30]", "How long a delivery hides the message");
    parameter("deliver", "--deliver", "N [0]", "Most deliveries; 0 for no limit");
    parameter("linger", "--linger", "SECONDS [0]", "How long it is kept; 0 for ever");
    return parameter("dead", "--dead", "CHANNEL", "Where the channel's undelivered messages go");
  }
  Command& delays() {
    parameter("delay", "--delay", "SECONDS", "Hidden for this long at first");
    return parameter("at", "--at", "TIME", "Hidden until then, in seconds since 1970");
  }
  Command& parameter(const std::string& name, const std::string& flag, const std::string& text,
                     const std::string& help) {
    command_
        .add_option_function<std::string>(
            flag,
            [options = options_, name](const std::string& value) {
              options->parameters[name] = value;
            },
            help)
        ->option_text(text);
    return *this;
  }
  Command& flag(const std::string& flag, bool Options::*to, const std::string& help) {
    command_.add_flag(flag, (*options_).*to, help);
    return *this;
  }
  Command& footer(const std::string& text) {
    command_.footer(text);
    return *this;
  }

 private:
  Command& positional(const char* name, std::string& to, const char* help) {
    command_.add_option(name, to, help)->required()->option_text(" ");
    return *this;
  }

  CLI::App& command_;
  const Shared options_;
};

constexpr const char* kExitCodes =
    "Exit code: 0 done, 7 cannot connect, 22 refused (the reason is on stderr), 23 cannot write,\n"
    "28 timed out, 56 the connection broke, 2 a mistake on this command line.";

void add_channel_commands(CLI::App& queue, int& exit_code) {
  Command(queue, "put", "queue put", "Put a message into a channel; prints its id", &put, exit_code)
      .channel()
      .data()
      .limits()
      .delays()
      .parameter("dedup", "--dedup", "ID", "A second message of this id is not stored")
      .footer("Example:\n  restpipe queue put jobs 'resize 12.png' --priority -1 --deliver 5");
  Command(queue, "take", "queue take", "Take a message and print it", &take, exit_code)
      .channel()
      .parameter("wait", "--wait", "SECONDS [0]", "How long to wait for one")
      .parameter("lease", "--lease", "SECONDS", "How long it is hidden, instead of its own timeout")
      .flag("--ack", &Options::acknowledge, "Acknowledge it once it is printed")
      .flag("-i,--include", &Options::with_head, "Print its headers too; the lease is one of them")
      .footer(std::string("Exit code 1: there is no message.\n\n"
                          "Example:\n  while restpipe queue take jobs --wait 60 --ack > job; do"
                          " ./work < job; done"));
  Command(queue, "peek", "queue peek", "Print messages and leave them there", &peek, exit_code)
      .channel()
      .parameter("limit", "--limit", "N [100]", "Most messages, 1 to 100000")
      .parameter("offset", "--offset", "N [0]", "Messages to pass over")
      .footer("Each is a JSON object on a line of its own.");
  Command(queue, "stats", "queue stats", "Print numbers as JSON", &stats, exit_code)
      .channel_if_any();
  Command(queue, "purge", "queue purge", "Delete all messages of a channel", &purge, exit_code)
      .channel();
  Command(queue, "pause", "queue pause", "Stop deliveries from a channel", &pause, exit_code)
      .channel();
  Command(queue, "resume", "queue resume", "Go on with deliveries", &resume, exit_code).channel();
  Command(queue, "redrive", "queue redrive",
          "Move dead letters back to where they died; prints how many", &redrive, exit_code)
      .channel()
      .parameter("limit", "--limit", "N [1000]", "Most messages, 1 to 1000");
}

void add_message_commands(CLI::App& queue, int& exit_code) {
  Command(queue, "ack", "queue ack", "Delete messages that are done with", &acknowledge, exit_code)
      .messages("LEASE|ID", "x-linger-lease of a delivery, or an id")
      .footer("A lease that has ended is refused; an id deletes the message whoever has it.");
  Command(queue, "nack", "queue nack", "Give messages back", &give_back, exit_code)
      .messages("LEASE", "x-linger-lease of a delivery")
      .parameter("delay", "--delay", "SECONDS", "Hidden for this long before it comes again")
      .flag("--reject", &Options::reject, "To the dead-letter channel, or deleted");
}

}  // namespace

void add_queue_commands(CLI::App& app, int& exit_code) {
  CLI::App* queue = app.add_subcommand("queue", "Put and take messages");
  queue->require_subcommand(1);
  queue->footer(std::string(kExitCodes) +
                "\n\nExamples:\n"
                "  restpipe queue put jobs 'resize 12.png'\n"
                "  restpipe queue take jobs --wait 60 --ack\n"
                "  restpipe queue peek jobs --limit 5 --pipe");
  add_channel_commands(*queue, exit_code);
  add_message_commands(*queue, exit_code);
  Command(app, "pub", "pub", "Publish a message to a topic; prints who got it", &publish, exit_code)
      .topic()
      .data()
      .delays()
      .flag("--strict", &Options::all_or_none, "All channels or none")
      .footer(std::string(kExitCodes) + "\n\nExample:\n  restpipe pub orders.new '{\"id\": 7}'");
  Command(app, "sub", "sub", "Subscribe a channel to a topic", &subscribe, exit_code)
      .topic()
      .reader()
      .limits()
      .parameter("group", "--group", "NAME", "One of the group's channels gets each message")
      .flag("--remove", &Options::remove, "End the subscription instead")
      .footer(
          std::string("A topic may be a pattern: orders.* is one level, orders.> all below.\n") +
          kExitCodes + "\n\nExample:\n  restpipe sub 'orders.*' billing --deliver 5");
}

}  // namespace rp::tools
