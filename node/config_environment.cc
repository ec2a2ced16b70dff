#include <algorithm>
#include <array>

#include "node/config_layers.h"
#include "node/config_values.h"
#include "node/suggest.h"

namespace rp::node {
namespace {

constexpr std::string_view kPrefix = "RESTPIPE_";
constexpr std::string_view kConfigVariable = "RESTPIPE_CONFIG";

/// The text of a variable, or null when it is absent.
const std::string* find(const Sources& sources, std::string_view name) {
  const auto found = sources.environment.find(std::string(name));
  return found == sources.environment.end() ? nullptr : &found->second;
}

/// Present and not empty, which is how "unset" is written in many service files.
const std::string* find_filled(const Sources& sources, std::string_view name) {
  const std::string* text = find(sources, name);
  return text && !text->empty() ? text : nullptr;
}

std::vector<std::string> items_of(const Setting& setting, const std::string& text) {
  return is_list(setting) ? split_list(text) : std::vector<std::string>{text};
}

bool may_be_empty(const Setting& setting) {
  return std::holds_alternative<kind::OptionalAddress>(setting.kind);
}

/// One variable of the reference that says the same as one setting of ours.
struct Same {
  std::string_view variable;
  std::string_view key;
  Applies applies;
};
constexpr std::array kSame{
    Same{"RP_SERVER_CERT_PATH", "identity", Applies::server},
    Same{"RP_SERVER_KEY_FILENAME", "identity_key_file", Applies::server},
    Same{"RP_SERVER_CRT_FILENAME", "identity_crt_file", Applies::server},
    Same{"RP_CLIENT_CERT_PATH", "identity", Applies::client},
    Same{"RP_CLIENT_KEY_FILENAME", "identity_key_file", Applies::client},
    Same{"RP_CLIENT_CRT_FILENAME", "identity_crt_file", Applies::client},
    Same{"RP_CA_CRT_FILENAME", "identity_ca_file", Applies::both},
    Same{"RP_CLIENT_HEARTBEAT_INTERVAL_S", "heartbeat.interval", Applies::both},
    Same{"RP_CLIENT_HEARTBEAT_TIMEOUT_S", "heartbeat.timeout", Applies::both},
};

/// Two variables of the reference that make one address of ours.
struct Pair {
  std::string_view host_variable;
  std::string_view port_variable;
  std::string_view key;
  std::string_view host;  ///< when only the port is set
  std::string_view port;  ///< when only the host is set
  Applies applies;
  bool empty_is_off;
};
constexpr std::array kPairs{
    Pair{"RP_SERVER_BIND_INTERFACE", "RP_SERVER_BIND_PORT", "listen", "0.0.0.0", "1234",
         Applies::server, false},
    Pair{"RP_CLIENT_TARGET_HOSTNAME", "RP_CLIENT_TARGET_PORT", "server", "localhost", "1234",
         Applies::client, false},
    Pair{"RP_STATSD_HOST", "RP_STATSD_PORT", "statsd", "localhost", "8125", Applies::both, true},
};

constexpr std::string_view kHandlerClass = "RP_EVENT_HANDLER_FQ_CLASS";

std::string_view callback_variable(Role role) {
  return role == Role::server ? "RP_SERVER_CONNECTION_STATE_CHANGE_EVENT_CLASS"
                              : "RP_CLIENT_CONNECTION_STATE_CHANGE_EVENT_CLASS";
}

std::string_view module_variable(Role role) {
  return role == Role::server ? "RP_SERVER_USER_CONFIG_MODULE" : "RP_CLIENT_USER_CONFIG_MODULE";
}

bool applies_to(Applies applies, Role role) {
  return applies == Applies::both || (applies == Applies::server) == (role == Role::server);
}

/// All names that the reference knows, to tell a misspelt one.
std::vector<std::string> reference_names() {
  std::vector<std::string> names{std::string(kHandlerClass), "RP_GUNICORN_PATH"};
  for (const Role role : {Role::server, Role::client}) {
    names.emplace_back(callback_variable(role));
    names.emplace_back(module_variable(role));
  }
  for (const Same& same : kSame) names.emplace_back(same.variable);
  for (const Pair& pair : kPairs) {
    names.emplace_back(pair.host_variable);
    names.emplace_back(pair.port_variable);
  }
  return names;
}

void read_pair(const Pair& pair, const Sources& sources, LayerValues& result) {
  const std::string* host = find(sources, pair.host_variable);
  const std::string* port = find(sources, pair.port_variable);
  if (!pair.empty_is_off) {
    host = find_filled(sources, pair.host_variable);
    port = find_filled(sources, pair.port_variable);
  }
  if (!host && !port) return;
  const std::string origin(port ? pair.port_variable : pair.host_variable);
  if (pair.empty_is_off && ((host && host->empty()) || (port && port->empty()))) {
    result.values.push_back({find_setting(pair.key), {""}, origin});
    return;
  }
  std::string name = host ? *host : std::string(pair.host);
  if (name.find(':') != name.npos) name = '[' + name + ']';
  result.values.push_back(
      {find_setting(pair.key),
       {name + ':' + (port ? *port : std::string(pair.port))},
       host && port ? std::string(pair.host_variable) + " and " + origin : origin});
}

/// DEBUG is a name that many programs use; what is not a number is refused as in the reference.
void read_debug(const Sources& sources, LayerValues& result) {
  const std::string* text = find_filled(sources, "DEBUG");
  if (!text) return;
  const auto number = parse_count(*text);
  if (!number) {
    result.problems.push_back({"DEBUG: " + log_escaped(*text) +
                               " is not a whole number; accepted: 0, or 1 for debug logs"});
  } else if (*number != 0) {
    result.values.push_back({find_setting("log.level"), {"debug"}, "DEBUG"});
  }
}

bool looks_like_a_path(const std::string& text, std::string_view extension) {
  return text.find('/') != text.npos || text.ends_with(extension);
}

void read_handler_class(const Sources& sources, LayerValues& result) {
  const std::string* text = find_filled(sources, kHandlerClass);
  if (!text) return;
  if (looks_like_a_path(*text, ".so")) {
    result.values.push_back({find_setting("handlers"), {*text}, std::string(kHandlerClass)});
    return;
  }
  result.problems.push_back({std::string(kHandlerClass) + ": " + log_escaped(*text) +
                             " names a Python class; accepted: the path of a plugin (.so), as for "
                             "--handlers, or leave it unset for the built-in demo"});
}

void warn_of_misspelt(const Sources& sources, LayerValues& result) {
  const std::vector<std::string> known = reference_names();
  for (const auto& [variable, ignored] : sources.environment) {
    const bool ours = variable.starts_with("RP_SERVER_") || variable.starts_with("RP_CLIENT_") ||
                      variable.starts_with("RP_STATSD_") || variable.starts_with("RP_CA_") ||
                      variable.starts_with("RP_EVENT_");
    if (!ours || std::find(known.begin(), known.end(), variable) != known.end()) continue;
    // The reference's documentation calls this variable by a name that its code never read.
    const std::string suggestion =
        variable == "RP_SERVER_BIND_IP" ? "RP_SERVER_BIND_INTERFACE" : nearest(variable, known);
    result.warnings.push_back("the variable " + log_escaped(variable) + " is unknown and ignored" +
                              (suggestion.empty() ? "" : "; did you mean " + suggestion + "?"));
  }
}

}  // namespace

LayerValues read_flags(const Sources& sources) {
  LayerValues result;
  for (const auto& [key, texts] : sources.flags) {
    const Setting* setting = find_setting(key);
    if (!setting) {
      result.problems.push_back({"--" + key + ": unknown setting"});
      continue;
    }
    std::vector<std::string> items;
    for (const std::string& text : texts) {
      for (std::string& item : items_of(*setting, text)) items.push_back(std::move(item));
    }
    result.values.push_back({setting, std::move(items), flag_name(*setting)});
  }
  return result;
}

LayerValues read_environment(Role role, const Sources& sources) {
  LayerValues result;
  std::vector<std::string> known{std::string(kConfigVariable)};
  for (const Setting& setting : all_settings()) {
    const std::string variable = variable_name(setting);
    known.push_back(variable);
    const std::string* text = find(sources, variable);
    if (!text || !has(setting, role) || (text->empty() && !may_be_empty(setting))) continue;
    result.values.push_back({&setting, items_of(setting, *text), variable});
  }
  for (const auto& [variable, ignored] : sources.environment) {
    if (!variable.starts_with(kPrefix)) continue;
    if (std::find(known.begin(), known.end(), variable) != known.end()) continue;
    const std::string suggestion = nearest_variable(variable);
    result.warnings.push_back("the variable " + log_escaped(variable) + " is unknown and ignored" +
                              (suggestion.empty() ? "" : "; did you mean " + suggestion + "?"));
  }
  return result;
}

LayerValues read_reference_environment(Role role, const Sources& sources) {
  LayerValues result;
  for (const Same& same : kSame) {
    const std::string* text = find_filled(sources, same.variable);
    if (!text || !applies_to(same.applies, role)) continue;
    result.values.push_back({find_setting(same.key), {*text}, std::string(same.variable)});
  }
  for (const Pair& pair : kPairs) {
    if (applies_to(pair.applies, role)) read_pair(pair, sources, result);
  }
  read_debug(sources, result);
  read_handler_class(sources, result);
  if (const std::string* text = find_filled(sources, callback_variable(role))) {
    result.warnings.push_back("the variable " + std::string(callback_variable(role)) + " (" +
                              log_escaped(*text) +
                              ") is ignored: a plugin that --handlers loads receives connection "
                              "state changes");
  }
  warn_of_misspelt(sources, result);
  return result;
}

NamedFile config_file(Role role, const Sources& sources) {
  if (sources.file) return {sources.file, "--config", {}};
  if (const std::string* text = find_filled(sources, kConfigVariable)) {
    return {*text, std::string(kConfigVariable), {}};
  }
  const std::string variable(module_variable(role));
  const std::string* text = find_filled(sources, variable);
  if (!text) return {};
  if (looks_like_a_path(*text, ".toml")) return {*text, variable, {}};
  return {{},
          variable,
          {{variable + ": " + log_escaped(*text) +
            " names a Python module; accepted: the path of a TOML file, as for --config"}}};
}

}  // namespace rp::node
