#include <iostream>
#include <memory>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "handlers/linger/text.h"
#include "handlers/local/header_text.h"
#include "node/config_values.h"
#include "node/escape.h"
#include "tools/restpipe/commands.h"
#include "tools/restpipe/queue_work.h"
#include "tools/restpipe/request_data.h"

namespace rp::tools {
namespace {

// At the end of every help.
constexpr const char* kInCommon =
    "Without --rest the node is the first in RESTPIPE_REST, else 127.0.0.1:8989, or with --pipe\n"
    "127.0.0.1:8990.\n\n"
    "Exit code: 0 done, 7 cannot connect, 22 refused (the reason is on stderr), 23 cannot write,\n"
    "28 timed out, 56 the connection broke, 2 a mistake on this command line.";

int run(const std::string& command, const QueueOptions& options, QueueWork work) {
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

/// For CLI11: what is wrong with a name; "" for nothing.
std::string refuse_name(const std::string& name) {
  return name.empty() ? "is empty; accepted: 1 to 255 bytes" : "";
}

/// A time as settings have it, as the seconds that requests have.
std::string seconds_of(const std::string& flag, const std::string& text) {
  const auto time = node::parse_duration(text);
  if (time) return handlers::linger::seconds_text(*time);
  throw CLI::ValidationError(flag, node::json_quoted(text) + ' ' + time.error().why +
                                       "; accepted: seconds, or a time such as 200ms, 10m or 1.5h");
}

/// Adds options to one command; each becomes a parameter of its request.
class Command {
 public:
  Command(CLI::App& parent, const std::string& name, const std::string& path,
          const std::string& help, QueueWork work, int& exit_code)
      : command_(*parent.add_subcommand(name, help)), options_(std::make_shared<QueueOptions>()) {
    command_.footer(kInCommon);
    command_.add_option("--rest", options_->node.rest, "Front-end of the node to ask")
        ->option_text("HOST:PORT|unix:PATH");
    command_.add_flag("--pipe", options_->node.over_pipe,
                      "Ask a client node for its server's queue");
    command_.callback(
        [options = options_, path, work, &exit_code] { exit_code = run(path, *options, work); });
  }

  Command& channel() { return positional("CHANNEL", options_->name, "Name of the channel"); }
  Command& topic() { return positional("TOPIC", options_->name, "Name of the topic"); }
  Command& reader() { return positional("CHANNEL", options_->other, "Channel that gets copies"); }
  Command& channel_if_any() {
    command_.add_option("CHANNEL", options_->name, "One channel instead of all")
        ->check(refuse_name)
        ->option_text(" ");
    return *this;
  }
  Command& messages(const std::string& name, const std::string& help) {
    command_.add_option(name, options_->messages, help)->required()->option_text("..");
    return *this;
  }
  Command& data() {
    command_.add_option("DATA", options_->data, "The message, a file, or standard input")
        ->option_text("|@FILE|- [-]");
    options_->data = "-";
    command_.add_option("--type", options_->type, "Content type")
        ->check([](const std::string& type) -> std::string {
          return handlers::is_header_value(type) ? "" : "holds control characters";
        })
        ->option_text("TYPE [text/plain]");
    return *this;
  }
  Command& limits() {
    parameter("priority", "--priority", "N [0]", "Lower is delivered first");
    time("timeout", "--timeout", "SECONDS [30]", "How long a delivery hides the message");
    parameter("deliver", "--deliver", "N [0]", "Most deliveries; 0 for no limit");
    time("linger", "--linger", "SECONDS [0]", "How long it is kept; 0 for ever");
    return parameter("dead", "--dead", "CHANNEL", "Where the channel's undelivered messages go");
  }
  Command& delays() {
    time("delay", "--delay", "SECONDS", "Hidden for this long at first");
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
  /// The same for a time.
  Command& time(const std::string& name, const std::string& flag, const std::string& text,
                const std::string& help) {
    command_
        .add_option_function<std::string>(
            flag,
            [options = options_, name, flag](const std::string& value) {
              options->parameters[name] = seconds_of(flag, value);
            },
            help)
        ->option_text(text);
    return *this;
  }
  Command& flag(const std::string& flag, bool QueueOptions::*to, const std::string& help) {
    command_.add_flag(flag, (*options_).*to, help);
    return *this;
  }
  /// In front of what all have in common.
  Command& footer(const std::string& text) {
    command_.footer(text + "\n\n" + kInCommon);
    return *this;
  }

 private:
  Command& positional(const char* name, std::string& to, const char* help) {
    command_.add_option(name, to, help)->required()->check(refuse_name)->option_text(" ");
    return *this;
  }

  CLI::App& command_;
  const std::shared_ptr<QueueOptions> options_;
};

void add_channel_commands(CLI::App& queue, int& exit_code) {
  Command(queue, "put", "queue put", "Put a message into a channel; prints its id", &put_message,
          exit_code)
      .channel()
      .data()
      .limits()
      .delays()
      .parameter("dedup", "--dedup", "ID", "A second message of this id is not stored")
      .footer("Example:\n  restpipe queue put jobs 'resize 12.png' --priority -1 --deliver 5");
  Command(queue, "take", "queue take", "Take a message and print it", &take_message, exit_code)
      .channel()
      .time("wait", "--wait", "SECONDS [0]", "How long to wait for one")
      .time("lease", "--lease", "SECONDS", "How long it is hidden, instead of its own timeout")
      .flag("--ack", &QueueOptions::acknowledge, "Acknowledge it once it is printed")
      .flag("-i,--include", &QueueOptions::with_head,
            "Print its headers too; the lease is one of them")
      .footer(
          "Exit code 1: there is no message.\n\n"
          "Example, a worker that loses nothing: what it did not finish comes again.\n"
          "  restpipe queue take jobs --wait 60 -i > job &&\n"
          "    sed '1,/^$/d' job | ./work &&\n"
          "    restpipe queue ack \"$(sed -n '/^$/q; s/^x-linger-lease: //p' job)\"");
  Command(queue, "peek", "queue peek", "Print messages and leave them there", &peek_messages,
          exit_code)
      .channel()
      .parameter("limit", "--limit", "N [100]", "Most messages, 1 to 100000")
      .parameter("offset", "--offset", "N [0]", "Messages to pass over")
      .footer("Each is a JSON object on a line of its own.");
  Command(queue, "stats", "queue stats", "Print numbers as JSON", &print_stats, exit_code)
      .channel_if_any();
  Command(queue, "purge", "queue purge", "Delete all messages of a channel", &purge_channel,
          exit_code)
      .channel();
  Command(queue, "pause", "queue pause", "Stop deliveries from a channel", &pause_channel,
          exit_code)
      .channel();
  Command(queue, "resume", "queue resume", "Go on with deliveries", &resume_channel, exit_code)
      .channel();
  Command(queue, "redrive", "queue redrive",
          "Move dead letters back to where they died; prints how many", &redrive_channel, exit_code)
      .channel()
      .parameter("limit", "--limit", "N [1000]", "Most messages, 1 to 1000");
}

void add_message_commands(CLI::App& queue, int& exit_code) {
  Command(queue, "ack", "queue ack", "Delete messages that are done with", &acknowledge_messages,
          exit_code)
      .messages("LEASE|ID", "x-linger-lease of a delivery, or an id")
      .footer("A lease that has ended is refused; an id deletes the message whoever has it.");
  Command(queue, "nack", "queue nack", "Give messages back", &give_messages_back, exit_code)
      .messages("LEASE", "x-linger-lease of a delivery")
      .time("delay", "--delay", "SECONDS", "Hidden for this long before it comes again")
      .flag("--reject", &QueueOptions::reject, "To the dead-letter channel, or deleted");
}

}  // namespace

void add_queue_commands(CLI::App& app, int& exit_code) {
  CLI::App* queue = app.add_subcommand("queue", "Put and take messages");
  queue->require_subcommand(1);
  queue->footer(std::string(kInCommon) +
                "\n\nExamples:\n"
                "  restpipe queue put jobs 'resize 12.png'\n"
                "  restpipe queue take jobs --wait 60 --ack\n"
                "  restpipe queue peek jobs --limit 5 --pipe");
  add_channel_commands(*queue, exit_code);
  add_message_commands(*queue, exit_code);
  Command(app, "pub", "pub", "Publish a message to a topic; prints who got it", &publish_message,
          exit_code)
      .topic()
      .data()
      .delays()
      .flag("--strict", &QueueOptions::all_or_none, "All channels or none")
      .footer("Example:\n  restpipe pub orders.new '{\"id\": 7}'");
  Command(app, "sub", "sub", "Subscribe a channel to a topic", &subscribe_channel, exit_code)
      .topic()
      .reader()
      .limits()
      .parameter("group", "--group", "NAME", "One of the group's channels gets each message")
      .flag("--remove", &QueueOptions::remove, "End the subscription instead")
      .footer(
          "A topic may be a pattern: orders.* is one level, orders.> all below.\n\n"
          "Example:\n  restpipe sub 'orders.*' billing --deliver 5");
}

}  // namespace rp::tools
