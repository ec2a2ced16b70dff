#include "tests/style/layers.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace rp::style {
namespace {

struct Layer {
  std::string_view folder;
  int height;
};

// One height for folders that must not know each other.
constexpr std::array kLayers = {
    Layer{"proto", 0},    Layer{"certs", 0}, Layer{"pipe", 1},  Layer{"queue", 2},
    Layer{"handlers", 3}, Layer{"rest", 3},  Layer{"node", 4},  Layer{"client", 5},
    Layer{"server", 5},   Layer{"tools", 6}, Layer{"tests", 7},
};

constexpr std::array<std::string_view, 3> kValueHeaders = {"pipe/error.h", "pipe/log.h",
                                                           "pipe/event.h"};

constexpr std::array<std::string_view, 6> kImplementationOnly = {
    "openssl/", "pistache/", "google/protobuf/", "boost/asio/ssl", "sqlite3", "spdlog/"};

constexpr std::array<std::string_view, 5> kCoreForbids = {"boost/asio", "boost/beast",
                                                          "sys/socket.h", "openssl/", "pipe/log.h"};

template <class Range>
bool starts_with_any(std::string_view text, const Range& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return text.starts_with(prefix); });
}

std::string_view folder_of(std::string_view path) { return path.substr(0, path.find('/')); }

std::optional<int> height_of(std::string_view folder) {
  const auto layer = std::find_if(kLayers.begin(), kLayers.end(),
                                  [&](const Layer& l) { return l.folder == folder; });
  if (layer == kLayers.end()) return std::nullopt;
  return layer->height;
}

std::string wrong_arrow(std::string_view from, std::string_view target) {
  const auto to = folder_of(target);
  const auto own_height = height_of(from);
  const auto height = height_of(to);
  if (!own_height) return std::string(from) + "/ is no folder of the plan";
  if (!height) return "\"" + std::string(target) + "\" does not start with a folder of the plan";
  if (to == from || *height < *own_height) return {};
  if (std::find(kValueHeaders.begin(), kValueHeaders.end(), target) != kValueHeaders.end()) {
    return {};
  }
  return std::string(from) + "/ must not include " + std::string(to) + "/ (" + std::string(target) +
         "): " + (*height == *own_height ? "sideways" : "upward");
}

}  // namespace

std::vector<Violation> wrong_arrows(const SourceFile& file) {
  std::vector<Violation> found;
  for (const auto& include : includes_of(file.text)) {
    if (!include.quoted) continue;
    auto what = wrong_arrow(folder_of(file.path), include.target);
    if (!what.empty()) found.push_back({file.path, include.line, std::move(what)});
  }
  return found;
}

std::vector<Violation> leaked_libraries(const SourceFile& file) {
  std::vector<Violation> found;
  if (!file.is_header()) return found;
  for (const auto& include : includes_of(file.text)) {
    if (starts_with_any(include.target, kImplementationOnly) || include.target.ends_with(".pb.h")) {
      found.push_back({file.path, include.line, "<" + include.target + "> belongs in a .cc file"});
    }
  }
  return found;
}

std::vector<Violation> impure_core(const SourceFile& file) {
  std::vector<Violation> found;
  if (!file.path.starts_with("pipe/core/")) return found;
  for (const auto& include : includes_of(file.text)) {
    if (starts_with_any(include.target, kCoreForbids)) {
      found.push_back({file.path, include.line, "pipe/core/ must not use " + include.target});
    }
  }
  const auto code = code_only(file.text);
  for (auto at = code.find("::now("); at != std::string::npos; at = code.find("::now(", at + 1)) {
    found.push_back({file.path, line_of(code, at), "pipe/core/ is told the time, it never asks"});
  }
  return found;
}

}  // namespace rp::style
