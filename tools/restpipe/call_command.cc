#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json.hpp>

#include "node/config_values.h"
#include "node/escape.h"
#include "tools/restpipe/commands.h"
#include "tools/restpipe/front_end.h"
#include "tools/restpipe/http_exchange.h"
#include "tools/restpipe/request_data.h"

namespace rp::tools {
namespace {

// An event code that does not fit into an exit code.
constexpr int kLargeCode = 125;

constexpr std::size_t kProblemBytesMax = 16 * 1024;  // of an error document, kept for its message

struct Options {
  std::vector<std::string> method_and_url;
  std::string verb;
  std::string data;
  bool has_data = false;
  std::vector<std::string> headers;
  std::string rest;
  std::string timeout = "310";  // a little more than a node's own call timeout
  bool include_head = false;
};

[[noreturn]] void refuse(const std::string& option, const std::string& why) {
  throw CLI::ValidationError(option, why);
}

std::pair<std::string, std::string> parse_header(const std::string& line) {
  const auto colon = line.find(':');
  const bool clean = line.find_first_of(std::string_view("\r\n\0", 3)) == line.npos;
  if (colon == line.npos || !clean || !node::parse_header_name(line.substr(0, colon))) {
    refuse("--header", node::json_quoted(line) + " is not a header; accepted: 'Name: value'");
  }
  const auto value = line.find_first_not_of(" \t", colon + 1);
  return {line.substr(0, colon), value == line.npos ? "" : line.substr(value)};
}

std::string method_of(const Options& options) {
  std::string method = options.has_data ? "POST" : "GET";
  if (options.method_and_url.size() == 2) {
    if (!options.verb.empty()) refuse("--request", "the method is given twice");
    method = options.method_and_url.front();
  } else if (!options.verb.empty()) {
    method = options.verb;
  }
  std::transform(method.begin(), method.end(), method.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  if (!node::parse_header_name(method)) {  // a method is a token, as a header name is
    refuse("METHOD", node::json_quoted(method) + " is not an HTTP method");
  }
  return method;
}

HttpRequest make_request(const Options& options) {
  HttpRequest request;
  Destination destination = find_destination(options.method_and_url.back(), options.rest);
  request.to = std::move(destination.node);
  request.target = std::move(destination.target);
  request.method = method_of(options);
  for (const std::string& line : options.headers) request.headers.push_back(parse_header(line));
  if (options.has_data) request.body = load_data(options.data, "--data");
  const auto timeout = node::parse_duration(options.timeout);
  if (!timeout || timeout->count() == 0) {
    refuse("--timeout", "\"" + options.timeout + "\" is not a number of seconds above 0");
  }
  request.timeout = *timeout;
  return request;
}

/// Takes the answer as it comes: prints it, and remembers what decides the exit code.
class Answer {
 public:
  Answer(std::ostream& out, bool include_head) : out_(out), include_head_(include_head) {}

  void head(const HttpHead& head) {
    head_ = head;
    if (!include_head_) return;
    out_ << "HTTP/1.1 " << head.status << ' ' << head.reason << '\n';
    for (const auto& [name, value] : head.headers) out_ << name << ": " << value << '\n';
    out_ << '\n';
  }

  /// Flushed piece by piece, so that a stream is seen as it happens.
  void body(std::string_view piece) {
    if (is_reply() || include_head_) {
      out_.write(piece.data(), static_cast<std::streamsize>(piece.size())).flush();
    } else {
      problem_ += piece.substr(0, kProblemBytesMax - std::min(kProblemBytesMax, problem_.size()));
    }
  }

  int exit_code() const {
    if (!out_) return kOutputFailed;
    if (const auto text = head_.header("X-Event-Return-Code")) {
      std::uint32_t code = 0;
      const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), code);
      if (error != std::errc() || end != text->data() + text->size() || code > 255) {
        return kLargeCode;
      }
      return static_cast<int>(code);
    }
    return is_reply() ? 0 : kHttpError;
  }

  /// The one line about an answer that is none, or "".
  std::string complaint() const {
    if (is_reply()) return {};
    std::string line = std::to_string(head_.status) + ' ' + head_.reason;
    const std::string detail = detail_of_problem();
    return detail.empty() ? line : line + ": " + detail;
  }

 private:
  /// A handler has answered: files and proxied applications do so with any status.
  bool is_reply() const {
    return head_.header("X-Event-Return-Code") || (head_.status >= 200 && head_.status < 300);
  }

  std::string detail_of_problem() const {
    boost::system::error_code ec;
    const auto json = boost::json::parse(problem_, ec);
    if (!ec && json.is_object()) {
      for (const char* key : {"detail", "title"}) {
        const auto* text = json.as_object().if_contains(key);
        if (text && text->is_string()) return node::logfmt_value(std::string(text->as_string()));
      }
    }
    return problem_.empty() ? "" : node::logfmt_value(problem_.substr(0, problem_.find('\n')));
  }

  std::ostream& out_;
  const bool include_head_;
  HttpHead head_;
  std::string problem_;
};

int call(const Options& options) {
  HttpRequest request = make_request(options);
  request.headers.insert(request.headers.begin(), {"Accept", "application/problem+json, */*"});
  Answer answer(std::cout, options.include_head);
  try {
    exchange(
        request, [&](const HttpHead& head) { answer.head(head); },
        [&](std::string_view piece) { answer.body(piece); });
  } catch (const HttpFailure& failure) {
    std::cerr << "restpipe call: " << failure.what() << '\n';
    return exit_code_of(failure.kind);
  }
  if (const std::string complaint = answer.complaint(); !complaint.empty()) {
    std::cerr << "restpipe call: " << complaint << '\n';
  }
  return answer.exit_code();
}

}  // namespace

void add_call_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("call", "Send one request through the local node");
  command->add_option("URL", options->method_and_url, "[METHOD] URL or path")
      ->option_text("[METHOD] URL|PATH")
      ->required()
      ->expected(1, 2);
  command->add_option("-X,--request", options->verb, "HTTP method")->option_text("METHOD");
  command->add_option("-d,--data", options->data, "Request body; turns GET into POST")
      ->option_text("DATA|@FILE|-");
  command->add_option("-H,--header", options->headers, "Further header; may be repeated")
      ->option_text("'NAME: VALUE'")
      ->allow_extra_args(false);
  command->add_option("--rest", options->rest, "Front-end of the node to use")
      ->option_text("HOST:PORT|unix:PATH");
  command->add_flag("-i,--include", options->include_head, "Print status line and headers too");
  command
      ->add_option("--timeout", options->timeout, "Longest wait for the next piece of the answer")
      ->option_text("SECONDS [310]");
  command->footer(
      "Without --rest the node is the one in RESTPIPE_REST, else 127.0.0.1:8989 for /client/..,\n"
      "/nodes and the message queue's paths, else 127.0.0.1:8990.\n\n"
      "Exit code: the event's own code (X-Event-Return-Code) from 0 to 255, 125 for a larger one.\n"
      "When no event code came back: 7 cannot connect, 22 an HTTP error (its message is on "
      "stderr),\n"
      "28 timed out, 56 the connection broke, 2 a mistake on this command line. A handler may use\n"
      "the same numbers; -i shows the header that tells them apart.\n\n"
      "Examples:\n"
      "  restpipe call /server/time\n"
      "  restpipe call '/client/workshop/cat//hello /world'\n"
      "  restpipe call POST /server/orders -H 'Content-Type: application/json' -d @order.json\n"
      "  restpipe call -i --rest unix:/run/restpipe/client.sock /readyz");
  command->callback([options, command, &exit_code] {
    options->has_data = command->count("--data") > 0;
    exit_code = call(*options);
  });
}

}  // namespace rp::tools
