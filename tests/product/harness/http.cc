#include "tests/product/harness/http.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "tests/product/harness/socket.h"

namespace rp::product {
namespace {

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Fills in status line and headers from curl's dump, in which interim answers (100 Continue) come
/// before the final one.
void parse_head(std::string_view dump, Response& response) {
  for (auto line : lines_of(dump)) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.starts_with("HTTP/")) {
      response.headers.clear();
      const auto space = std::min(line.find(' '), line.size());
      response.status = std::atoi(line.c_str() + space);
      const auto reason = line.find(' ', space + 1);
      response.reason = reason == std::string::npos ? "" : line.substr(reason + 1);
    } else if (const auto colon = line.find(':'); colon != std::string::npos) {
      const auto value = std::min(line.find_first_not_of(' ', colon + 1), line.size());
      response.headers.emplace_back(lower_case(line.substr(0, colon)), line.substr(value));
    }
  }
}

}  // namespace

std::optional<std::string> Response::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

CurlRun::CurlRun(std::vector<std::string> arguments, TestClock::duration timeout)
    : timeout_(timeout) {
  std::vector<std::string> argv = {"curl",          "--silent",
                                   "--show-error",  "--no-progress-meter",
                                   "--dump-header", (directory_ / "head").string(),
                                   "--output",      (directory_ / "body").string(),
                                   "--write-out",   "%{time_total}"};
  argv.insert(argv.end(), std::make_move_iterator(arguments.begin()),
              std::make_move_iterator(arguments.end()));
  process_ = std::make_unique<Process>(Command{.argv = std::move(argv)});
}

Response CurlRun::finish() {
  Response response;
  response.exit_code = process_->wait(timeout_).value_or(-1);
  process_->kill();
  response.seconds = std::atof(process_->out().c_str());
  response.error = process_->err();
  parse_head(read_text(directory_ / "head"), response);
  response.body = read_text(directory_ / "body");
  return response;
}

Response curl(std::vector<std::string> arguments, TestClock::duration timeout) {
  return CurlRun(std::move(arguments), timeout).finish();
}

std::string raw_http(std::uint16_t port, std::string_view bytes, TestClock::duration timeout) {
  const auto deadline = TestClock::now() + timeout;
  auto socket = connect_to(port);
  if (!socket || !send_all(*socket, bytes)) return {};
  std::string answer;
  while (receive_some(*socket, answer, deadline)) {
  }
  return answer;
}

int status_of(std::uint16_t port, std::string_view path) {
  const auto answer =
      raw_http(port, "GET " + std::string(path) +
                         " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 ")) return 0;
  return std::atoi(answer.c_str() + 9);
}

}  // namespace rp::product
