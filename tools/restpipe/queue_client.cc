#include "tools/restpipe/queue_client.h"

#include <algorithm>

#include "handlers/linger/text.h"
#include "node/escape.h"
#include "pipe/percent.h"
#include "tools/restpipe/front_end.h"

namespace rp::tools {
namespace {

// Of an answer that is held: 1,000 messages at their largest, as JSON that escapes every byte, are
// more than a node sends at once.
constexpr std::size_t kAnswerBytesMax = std::size_t{256} * 1024 * 1024;

std::string query_of(const QueueRequest& request) {
  std::string query;
  for (const auto& [name, value] : request.parameters) {
    if (!value) continue;
    query += (query.empty() ? "?" : "&") + name + "=" + path_part(*value);
  }
  return query;
}

/// What a refusal says: the reason phrase, or the sentence of a problem document's.
std::string complaint(const QueueAnswer& answer) {
  std::string line = std::to_string(answer.head.status) + ' ' + answer.head.reason;
  constexpr std::string_view kDetail = "\"detail\":\"";
  const auto at = answer.body.find(kDetail);
  if (at == std::string::npos) return line;
  const auto begin = at + kDetail.size();
  return line + ": " +
         node::logfmt_value(answer.body.substr(begin, answer.body.find('"', begin) - begin));
}

std::string no_queue(const QueueNode& node) {
  return node.over_pipe
             ? "no message queue answers through the pipe; --pipe asks a client node, and "
               "its server has the queue"
             : "this node has no message queue; --pipe asks a client node for its "
               "server's";
}

}  // namespace

std::string path_part(std::string_view name) {
  // Of the unreserved marks, the queue takes these two as they are (docs/queue.md).
  return pipe::percent_encoded(name, "-_");
}

QueueAnswer ask_queue(const QueueNode& node, const QueueRequest& request) {
  HttpRequest http;
  auto destination = find_destination(
      (node.over_pipe ? "/server" : "") + request.path + query_of(request), node.rest);
  http.to = std::move(destination.node);
  http.target = std::move(destination.target);
  http.method = request.method;
  http.headers.emplace_back("Accept", "application/problem+json, */*");
  if (!request.content_type.empty())
    http.headers.emplace_back("Content-Type", request.content_type);
  if (request.call_timeout > request.call_timeout.zero()) {
    http.headers.emplace_back("Request-Timeout",
                              handlers::linger::seconds_text(request.call_timeout));
  }
  http.body = request.body;
  if (request.method == "POST" && !http.body) http.body = "";
  http.timeout = request.timeout;
  QueueAnswer answer;
  exchange(
      http, [&](const HttpHead& head) { answer.head = head; },
      [&](std::string_view piece) {
        if (piece.size() > kAnswerBytesMax - answer.body.size()) {
          throw HttpFailure(HttpFailure::Kind::broken, "the answer is longer than 256 MiB");
        }
        answer.body += piece;
      });
  const bool is_done = answer.head.status >= 200 && answer.head.status <= 299;
  // Where there is no queue, paths are unknown: to a front-end (404), or to a node behind a pipe,
  // which says so with a status of 200.
  const bool from_queue = answer.header("Server").starts_with("Linger ");
  if (!from_queue && (is_done || answer.head.status == 404)) throw QueueRefusal(no_queue(node));
  if (!is_done) throw QueueRefusal(complaint(answer));
  return answer;
}

}  // namespace rp::tools
