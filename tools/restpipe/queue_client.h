#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/restpipe/http_exchange.h"

/// The message queue of a node, as its commands use it.
namespace rp::tools {

/// Which node is asked.
struct QueueNode {
  std::string rest;        ///< as --rest has it; empty for RESTPIPE_REST or the default
  bool over_pipe = false;  ///< a client node, for the queue of its server
};

/// One request. Parameters go into the query; what has no value is left out.
struct QueueRequest {
  std::string method = "GET";
  std::string path;  ///< "/channels/jobs", percent-encoded
  std::vector<std::pair<std::string, std::optional<std::string>>> parameters{};
  std::optional<std::string> body{};
  std::string content_type{};
  std::chrono::milliseconds timeout{};       ///< for each piece of the answer
  std::chrono::milliseconds call_timeout{};  ///< for the node; zero: its own `call_timeout`
};

struct QueueAnswer {
  HttpHead head;
  std::string body;

  std::string header(std::string_view name) const {
    return std::string(head.header(name).value_or(""));
  }
};

/// The node refused, or the queue did.
struct QueueRefusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A name as one part of a path.
std::string path_part(std::string_view name);

/// Asks and waits for the whole answer, which is 2xx and comes from a message queue. Throws
/// QueueRefusal, HttpFailure, CLI::ValidationError.
QueueAnswer ask_queue(const QueueNode& node, const QueueRequest& request);

}  // namespace rp::tools
