#include "handlers/exec/child_context.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace rp::handlers {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kErrorLineMax = 1024;

std::string wall_clock_text(milliseconds since_epoch) {
  char text[32];
  std::snprintf(text, sizeof(text), "%lld.%03lld",
                static_cast<long long>(since_epoch.count() / 1000),
                static_cast<long long>(since_epoch.count() % 1000));
  return text;
}

/// "x-forwarded-for" to "RESTPIPE_HEADER_X_FORWARDED_FOR"; what a variable's name cannot hold
/// becomes '_'.
std::string header_variable(std::string_view name) {
  std::string variable = "RESTPIPE_HEADER_";
  for (const char c : name) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool digit = c >= '0' && c <= '9';
    variable += lower ? static_cast<char>(c - 'a' + 'A') : digit ? c : '_';
  }
  return variable;
}

void add_deadline(const pipe::Event& event, std::vector<std::string>& environment) {
  if (event.deadline == pipe::Clock::time_point::max()) return;
  const auto left = std::max(std::chrono::ceil<milliseconds>(event.deadline - pipe::Clock::now()),
                             milliseconds(0));
  const auto wall =
      std::chrono::floor<milliseconds>(std::chrono::system_clock::now().time_since_epoch() + left);
  environment.push_back("RESTPIPE_TIME_LEFT_MS=" + std::to_string(left.count()));
  environment.push_back("RESTPIPE_DEADLINE=" + wall_clock_text(wall));
}

/// A header that comes several times is one variable, as RFC 9110 joins them.
void add_headers(const pipe::Headers& headers, std::vector<std::string>& environment) {
  std::map<std::string, std::string> variables;
  for (const auto& header : headers) {
    auto& value = variables[header_variable(header.name)];
    value += value.empty() ? header.value : ", " + header.value;
  }
  for (const auto& [name, value] : variables) environment.push_back(name + '=' + value);
}

bool begins_path(std::string_view text, std::size_t at) {
  if (text[at] != '/') return false;
  constexpr std::string_view kBefore = " \t'\"`([{<=:,;";
  return at == 0 || kBefore.find(text[at - 1]) != std::string_view::npos;
}

/// "bash: /srv/jobs/run.sh: line 3" to "bash: run.sh: line 3".
std::string with_short_paths(std::string_view line) {
  std::string text;
  for (std::size_t at = 0; at < line.size();) {
    if (!begins_path(line, at)) {
      text += line[at++];
      continue;
    }
    constexpr std::string_view kAfter = " \t'\"`)]}>:,;";
    const auto end = std::min(line.find_first_of(kAfter, at), line.size());
    auto path = line.substr(at, end - at);
    while (path.ends_with('/')) path.remove_suffix(1);
    text += path.substr(path.rfind('/') + 1);
    at = end;
  }
  return text;
}

}  // namespace

std::vector<std::string> child_environment(const pipe::Event& event, const pipe::Origin& origin,
                                           std::string_view method, std::string_view noun,
                                           std::string_view node) {
  std::vector<std::string> environment;
  const auto add = [&](std::string name, std::string_view value) {
    environment.push_back(std::move(name.append("=").append(value)));
  };
  for (const char* const name : {"PATH", "HOME", "LANG", "TZ"}) {
    if (const char* const value = std::getenv(name)) add(name, value);
  }
  add("RESTPIPE_METHOD", method);
  add("RESTPIPE_VERB", event.verb);
  add("RESTPIPE_NOUN", noun);
  add("RESTPIPE_QUERY", event.query);
  add("RESTPIPE_CONTENT_TYPE", event.content_type);
  add("RESTPIPE_CALLER", origin.node);
  add("RESTPIPE_ADDRESS", origin.address);
  add("RESTPIPE_REQUEST_ID", event.request_id);
  add("RESTPIPE_NODE", node);
  add_deadline(event, environment);
  add_headers(event.headers, environment);
  return environment;
}

std::string error_line(std::string_view errors) {
  constexpr std::string_view kBlank = " \t\r\n\f\v";
  const auto last = errors.find_last_not_of(kBlank);
  if (last == std::string_view::npos) return {};
  errors = errors.substr(0, last + 1);
  const auto newline = errors.rfind('\n');
  if (newline != std::string_view::npos) errors.remove_prefix(newline + 1);
  return with_short_paths(errors).substr(0, kErrorLineMax);
}

}  // namespace rp::handlers
