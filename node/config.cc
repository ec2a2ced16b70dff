#include "node/config.h"

#include <algorithm>
#include <thread>

#include <unistd.h>

#include "node/config_layers.h"
#include "node/config_values.h"

namespace rp::node {
namespace {

/// Puts layers on top of each other, weakest first.
class Loader {
 public:
  Loader(Role role, Sources sources) {
    config_.role = role;
    config_.sources = std::move(sources);
    for (const Setting& setting : all_settings()) {
      if (!has(setting, role)) continue;
      config_.values.push_back({std::string(setting.key), {}, Layer::built_in, "default"});
    }
  }

  void defaults() {
    LayerValues table;
    for (const Setting& setting : all_settings()) {
      if (!has(setting, config_.role)) continue;
      const std::string text(default_text(setting, config_.role));
      const auto items = is_list(setting) ? split_list(text) : std::vector<std::string>{text};
      table.values.push_back({&setting, items, "default"});
    }
    layer(std::move(table), Layer::built_in, {});
  }

  void layer(LayerValues from, Layer layer, const std::filesystem::path& base) {
    for (Given& given : from.values) put(std::move(given), layer, base, from.problems);
    problems(std::move(from.problems));
    std::move(from.warnings.begin(), from.warnings.end(), std::back_inserter(config_.warnings));
  }

  void problems(std::vector<Problem> found) {
    std::stable_sort(found.begin(), found.end(),
                     [](const Problem& a, const Problem& b) { return a.position < b.position; });
    for (Problem& problem : found) problems_.push_back(std::move(problem.line));
  }

  Config finish() {
    derive();
    if (problems_.empty()) check();
    if (!problems_.empty()) throw ConfigError(std::move(problems_));
    return std::move(config_);
  }

 private:
  void put(Given given, Layer layer, const std::filesystem::path& base,
           std::vector<Problem>& found) {
    const Setting& setting = *given.setting;
    if (!has(setting, config_.role)) return;  // a flag of the other role cannot be parsed
    if (auto why = apply(setting, given.items, base, config_)) {
      const bool named = layer == Layer::file;  // elsewhere the origin is the setting's own name
      found.push_back({given.origin + ": " + (named ? std::string(setting.key) + " = " : "") + *why,
                       given.position});
      return;
    }
    const auto slot = std::find_if(config_.values.begin(), config_.values.end(),
                                   [&](const Effective& e) { return e.key == setting.key; });
    *slot = {slot->key, std::move(given.items), layer, std::move(given.origin)};
  }

  /// Values that depend on others.
  void derive() {
    Config& c = config_;
    if (c.heartbeat_timeout.count() == 0) c.heartbeat_timeout = 2 * c.heartbeat_interval;
    if (c.threads == 0) c.threads = std::max(1U, std::thread::hardware_concurrency());
    for (auto* file :
         {&c.identity_key_file, &c.identity_crt_file, &c.identity_ca_file, &c.identity_crl_file}) {
      *file = c.identity_dir / *file;  // an absolute file name replaces the directory
    }
  }

  /// Contradictions between values that are fine alone.
  void check() {
    const Config& c = config_;
    if (c.role == Role::client && c.reconnect_cap < c.reconnect_base) {
      contradiction("reconnect.cap", duration_text(c.reconnect_cap), "is shorter than",
                    "reconnect.base", duration_text(c.reconnect_base));
    }
    for (const auto& proxied : c.proxy) {
      const auto same = [&](const FilesMount& served) { return served.noun == proxied.noun; };
      if (std::any_of(c.files.begin(), c.files.end(), same)) {
        contradiction("proxy", proxied.noun, "is also a noun of", "files", proxied.noun);
      }
    }
    if (c.identity_dir.empty()) {
      problems_.push_back(origin_of("identity") + ": identity is empty; accepted: a directory");
    }
  }

  void contradiction(std::string_view key, const std::string& value, std::string_view relation,
                     std::string_view other, const std::string& other_value) {
    problems_.push_back(origin_of(key) + ": " + std::string(key) + " (" + value + ") " +
                        std::string(relation) + ' ' + std::string(other) + " (" + other_value +
                        ", " + origin_of(other) + ')');
  }

  std::string origin_of(std::string_view key) const {
    const auto slot = std::find_if(config_.values.begin(), config_.values.end(),
                                   [&](const Effective& e) { return e.key == key; });
    return slot->origin;
  }

  Config config_;
  std::vector<std::string> problems_;
};

std::string summary(const std::vector<std::string>& lines) {
  if (lines.size() < 2) return lines.empty() ? "the configuration is wrong" : lines.front();
  return lines.front() + " (and " + std::to_string(lines.size() - 1) +
         " more: `restpipe config check` lists all)";
}

}  // namespace

std::string_view name(Role role) noexcept { return role == Role::server ? "server" : "client"; }

ConfigError::ConfigError(std::vector<std::string> lines)
    : StartupError(ExitCode::configuration, summary(lines)), lines_(std::move(lines)) {}

Config load_config(Role role, Sources sources) {
  const std::filesystem::path here = std::filesystem::current_path();
  LayerValues flags = read_flags(sources);
  LayerValues environment = read_environment(role, sources);
  LayerValues reference = read_reference_environment(role, sources);
  NamedFile file = config_file(role, sources);

  Loader loader(role, std::move(sources));
  loader.defaults();
  loader.problems(std::move(file.problems));
  if (file.path) {
    const std::filesystem::path base = std::filesystem::absolute(*file.path).parent_path();
    loader.layer(read_file(role, *file.path, file.origin), Layer::file, base);
  }
  loader.layer(std::move(reference), Layer::reference, here);
  loader.layer(std::move(environment), Layer::environment, here);
  loader.layer(std::move(flags), Layer::flag, here);
  return loader.finish();
}

Config reload_config(const Config& running) { return load_config(running.role, running.sources); }

std::vector<std::string> keys_needing_restart(const Config& before, const Config& after) {
  std::vector<std::string> keys;
  for (const Effective& value : after.values) {
    const auto old = std::find_if(before.values.begin(), before.values.end(),
                                  [&](const Effective& e) { return e.key == value.key; });
    const bool same = old != before.values.end() && old->items == value.items;
    if (!same && !find_setting(value.key)->reloadable) keys.push_back(value.key);
  }
  return keys;
}

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> result;
  for (char** entry = ::environ; entry && *entry; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == text.npos) continue;
    result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

}  // namespace rp::node
