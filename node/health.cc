#include "node/health.h"

#include "node/escape.h"

namespace rp::node {

Health::Health() { reasons_.emplace(kStarting); }

void Health::set(std::string_view reason, bool holds) {
  const std::lock_guard lock(mutex_);
  const auto found = reasons_.find(reason);
  if (holds && found == reasons_.end()) {
    reasons_.emplace(reason);
  } else if (!holds && found != reasons_.end()) {
    reasons_.erase(found);
  }
}

bool Health::ready() const {
  const std::lock_guard lock(mutex_);
  return reasons_.empty();
}

std::vector<std::string> Health::reasons() const {
  const std::lock_guard lock(mutex_);
  return {reasons_.begin(), reasons_.end()};
}

std::string Health::health_json() { return R"({"status":"ok"})"; }

Health::Readiness Health::readiness() const {
  const std::vector<std::string> held = reasons();
  if (held.empty()) return {true, R"({"status":"ready"})"};
  std::string json = R"({"status":"not ready","reasons":[)";
  for (const std::string& reason : held) {
    if (!json.ends_with('[')) json.push_back(',');
    json += json_quoted(reason);
  }
  return {false, json + "]}"};
}

}  // namespace rp::node
