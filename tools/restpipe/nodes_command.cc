#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json.hpp>

#include "node/escape.h"
#include "node/exit_codes.h"
#include "tools/restpipe/commands.h"
#include "tools/restpipe/event_stream.h"
#include "tools/restpipe/front_end.h"
#include "tools/restpipe/http_exchange.h"

namespace rp::tools {
namespace {

namespace json = boost::json;

constexpr std::size_t kListBytesMax = 64 * 1024 * 1024;
constexpr std::chrono::seconds kTimeout{10};

// A node that is watched says something every 15 s; three times that is silence.
constexpr std::chrono::seconds kWatchTimeout{45};

struct Options {
  std::string rest;
  std::string output = "text";
  bool watch = false;
};

HttpRequest request_for(const Options& options) {
  HttpRequest request;
  Destination destination = find_destination("/nodes", options.rest);
  request.to = std::move(destination.node);
  request.target = std::move(destination.target);
  request.headers.emplace_back("Accept", options.watch ? "text/event-stream" : "application/json");
  request.timeout = options.watch ? kWatchTimeout : kTimeout;
  return request;
}

/// Anything but 200 ends the command.
void require_ok(const HttpRequest& request, unsigned status) {
  if (status == 200) return;
  throw HttpFailure(
      HttpFailure::Kind::broken,
      to_string(request.to) + ": /nodes answered with status " + std::to_string(status));
}

std::string fetch(const Options& options) {
  const HttpRequest request = request_for(options);
  unsigned status = 0;
  std::string body;
  exchange(
      request, [&](const HttpHead& head) { status = head.status; },
      [&](std::string_view piece) {
        if (body.size() + piece.size() > kListBytesMax) {
          throw HttpFailure(HttpFailure::Kind::broken, "the list is longer than 64 MiB");
        }
        body += piece;
      });
  require_ok(request, status);
  return body;
}

/// What stands in a cell; strings come from other machines and are escaped.
std::string cell_text(const json::value& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return node::logfmt_value(std::string(value.as_string()));
  return json::serialize(value);
}

/// The list inside the document: the document itself, or its member "nodes" and behind it those
/// that are "detached". Nothing when there is none.
std::optional<json::array> find_list(const json::value& document) {
  if (document.is_array()) return document.as_array();
  if (!document.is_object()) return std::nullopt;
  const auto member = [&](const char* key) {
    const json::value* list = document.as_object().if_contains(key);
    return list && list->is_array() ? &list->as_array() : nullptr;
  };
  const json::array* nodes = member("nodes");
  if (!nodes) return std::nullopt;
  json::array all = *nodes;
  if (const json::array* more = member("detached"))
    all.insert(all.end(), more->begin(), more->end());
  return all;
}

using Row = std::vector<std::string>;

/// A heading and a row per node, with a column for each member that any node has.
std::vector<Row> table_of(const json::array& nodes) {
  Row heading;
  for (const json::value& node : nodes) {
    if (!node.is_object()) continue;
    for (const auto& member : node.as_object()) {
      const std::string key(member.key());
      if (std::find(heading.begin(), heading.end(), key) == heading.end()) heading.push_back(key);
    }
  }
  std::vector<Row> rows{heading};
  for (const json::value& node : nodes) {
    if (!node.is_object()) continue;
    Row row;
    for (const std::string& key : heading) {
      const json::value* value = node.as_object().if_contains(key);
      row.push_back(value ? cell_text(*value) : "-");
    }
    rows.push_back(std::move(row));
  }
  std::transform(rows[0].begin(), rows[0].end(), rows[0].begin(), [](std::string key) {
    for (char& c : key) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return node::logfmt_value(key);
  });
  return rows;
}

void print_table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::cout << line << '\n';
  }
}

void print_list(const json::array& nodes) {
  if (nodes.empty()) {
    std::cout << "no node is connected\n";
  } else {
    print_table(table_of(nodes));
  }
}

int complain(std::string_view what) {
  std::cerr << "restpipe nodes: " << what << '\n';
  return static_cast<int>(node::ExitCode::failure);
}

int list_nodes(const Options& options) {
  const std::string body = fetch(options);
  if (options.output == "json") {
    std::cout << body << (body.ends_with('\n') ? "" : "\n");
    return 0;
  }
  boost::system::error_code ec;
  const json::value document = json::parse(body, ec);
  const auto nodes = ec ? std::nullopt : find_list(document);
  if (!nodes) return complain("the answer is not a list of nodes");
  print_list(*nodes);
  return 0;
}

/// A change as one line: "joined name=alpha address=10.0.0.7".
std::string change_line(const EventStream::Event& event, const json::object& data) {
  std::string line = node::logfmt_value(event.name);
  for (const auto& member : data) {
    line += ' ' + node::logfmt_value(std::string(member.key())) + '=' + cell_text(member.value());
  }
  return line;
}

void print_event(const Options& options, const EventStream::Event& event) {
  boost::system::error_code ec;
  const json::value data = json::parse(event.data, ec);
  if (ec) throw HttpFailure(HttpFailure::Kind::broken, "an event is not JSON");
  if (options.output == "json") {
    json::object line;
    line["event"] = event.name;
    line["data"] = data;
    std::cout << json::serialize(line) << std::endl;
  } else if (const auto nodes = event.name == "snapshot" ? find_list(data) : std::nullopt) {
    print_list(*nodes);
    std::cout << std::flush;
  } else if (data.is_object()) {
    std::cout << change_line(event, data.as_object()) << std::endl;
  }
}

/// Prints changes until the node ends the stream, or the user this program.
int watch_nodes(const Options& options) {
  const HttpRequest request = request_for(options);
  EventStream stream([&](const EventStream::Event& event) { print_event(options, event); });
  exchange(
      request, [&](const HttpHead& head) { require_ok(request, head.status); },
      [&](std::string_view piece) {
        if (!stream.feed(piece)) {
          throw HttpFailure(HttpFailure::Kind::broken, "an event is longer than 64 MiB");
        }
      });
  return complain(to_string(request.to) + ": the node ended the stream");
}

int run_nodes(const Options& options) {
  try {
    return options.watch ? watch_nodes(options) : list_nodes(options);
  } catch (const HttpFailure& failure) {
    return complain(failure.what());
  }
}

}  // namespace

void add_nodes_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("nodes", "List the nodes that are connected");
  command->add_option("--rest", options->rest, "Front-end of the node to ask")
      ->option_text("HOST:PORT|unix:PATH [127.0.0.1:8989]");
  command->add_option("--output", options->output, "A table, or the node's own document")
      ->option_text("text|json [text]")
      ->check(CLI::IsMember({"text", "json"}));
  command->add_flag("--watch", options->watch,
                    "Print the list, then each node that joins or leaves, as it happens");
  command->footer(
      "Exit code: 0 when the list was read, even if it is empty; 1 when it was not, or when the\n"
      "node ended what was watched.\n\n"
      "Examples:\n"
      "  restpipe nodes\n"
      "  restpipe nodes --rest unix:/run/restpipe/server.sock --output json\n"
      "  restpipe nodes --watch");
  command->callback([options, &exit_code] { exit_code = run_nodes(*options); });
}

}  // namespace rp::tools
