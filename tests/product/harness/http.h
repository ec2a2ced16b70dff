#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/product/harness/process.h"

namespace rp::product {

/// What curl got. `status` is 0 when there was no HTTP answer; `error` then has curl's words.
struct Response {
  int exit_code = -1;  ///< curl's own
  int status = 0;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;
  double seconds = 0;
  std::string error;

  std::optional<std::string> header(std::string_view lower_case_name) const;

  /// The X-Event-Return-Code header as it was written; nothing when there is none.
  std::optional<std::string> code() const { return header("x-event-return-code"); }
  std::string content_type() const { return header("content-type").value_or(""); }
};

/// A running curl. `arguments` are curl's own, the URL among them.
class CurlRun {
 public:
  explicit CurlRun(std::vector<std::string> arguments, TestClock::duration timeout = kPatience);

  /// Waits for the end.
  Response finish();
  bool running() { return process_->running(); }

 private:
  TempDir directory_;
  std::unique_ptr<Process> process_;
  TestClock::duration timeout_;
};

Response curl(std::vector<std::string> arguments, TestClock::duration timeout = kPatience);

/// Sends `bytes` to 127.0.0.1:port and returns all that comes until the node closes or `timeout`
/// passes; for requests that curl would not make, and where a process per probe is too slow.
std::string raw_http(std::uint16_t port, std::string_view bytes,
                     TestClock::duration timeout = kPatience);

/// Status of GET `path` on 127.0.0.1:port, 0 without an answer.
int status_of(std::uint16_t port, std::string_view path);

}  // namespace rp::product
