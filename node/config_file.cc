// Reads the settings file; with policy_file.cc the only ones that compile toml++.

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include <toml++/toml.h>

#include "node/config_layers.h"
#include "node/config_values.h"

namespace rp::node {
namespace {

std::string at(const std::string& file, const toml::source_region& region) {
  return file + ':' + std::to_string(region.begin.line) + ':' + std::to_string(region.begin.column);
}

Position position_of(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

ValueType type_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return ValueType::text;
    case toml::node_type::integer:
      return ValueType::integer;
    case toml::node_type::floating_point:
      return ValueType::real;
    case toml::node_type::boolean:
      return ValueType::boolean;
    default:
      return ValueType::other;
  }
}

std::string_view type_word(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a decimal number";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::table:
      return "a section";
    default:
      return "a date or time";
  }
}

/// A scalar as the parsers of the schema want it.
std::string scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(9);  // finer than any accepted duration
  out << std::fixed << node.as_floating_point()->get();
  std::string text = out.str();
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

/// Walks a document and collects its settings.
class Reader {
 public:
  Reader(Role role, std::string file) : role_(role), file_(std::move(file)) {}

  void walk(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string path = prefix + std::string(key.str());
      const auto* section = node.as_table();
      if (section && !find_setting(path)) {
        if (!is_section(path)) {
          unknown(path, key.source());
        } else {
          walk(*section, path + '.');
        }
      } else {
        take(path, node, key.source());
      }
    }
  }

  LayerValues take_result() { return std::move(result_); }

 private:
  /// Whether some setting lies below that prefix, so that the keys inside deserve a look each.
  static bool is_section(const std::string& path) {
    for (const Setting& setting : all_settings()) {
      if (setting.key.starts_with(path + '.') || setting.key.starts_with(path + '_')) return true;
    }
    return false;
  }

  void unknown(const std::string& path, const toml::source_region& where) {
    std::string line = at(file_, where) + ": unknown setting " + quoted(path);
    const std::string nearest = nearest_key(path);
    line += nearest.empty() ? "; `restpipe config default` lists all settings"
                            : "; did you mean \"" + nearest + "\"?";
    problem(std::move(line), where);
  }

  void problem(std::string line, const toml::source_region& where) {
    result_.problems.push_back({std::move(line), position_of(where)});
  }

  void take(const std::string& path, const toml::node& node, const toml::source_region& where) {
    const Setting* setting = find_setting(path);
    if (!setting) return unknown(path, where);
    const std::string origin = at(file_, where);
    if (!has(*setting, role_)) {
      const Role other = role_ == Role::server ? Role::client : Role::server;
      return problem(origin + ": \"" + std::string(setting->key) + "\" is a setting of a " +
                         std::string(name(other)) + " node, and this is a " +
                         std::string(name(role_)),
                     where);
    }
    const auto [first, fresh] = seen_.emplace(setting, origin);
    if (!fresh) {
      return problem(
          origin + ": \"" + std::string(setting->key) + "\" is also set at " + first->second,
          where);
    }
    if (auto items = items_of(*setting, node, path)) {
      result_.values.push_back({setting, std::move(*items), origin, position_of(where)});
    }
  }

  std::optional<std::vector<std::string>> items_of(const Setting& setting, const toml::node& node,
                                                   const std::string& path) {
    std::vector<std::string> items;
    if (const auto* array = node.as_array(); array && is_list(setting)) {
      for (const toml::node& item : *array) {
        if (!fits(setting, item, path + " item")) return std::nullopt;
        items.push_back(scalar_text(item));
      }
      return items;
    }
    if (!fits(setting, node, path)) return std::nullopt;
    if (is_list(setting)) return split_list(scalar_text(node));
    items.push_back(scalar_text(node));
    return items;
  }

  bool fits(const Setting& setting, const toml::node& node, const std::string& path) {
    if (takes(setting, type_of(node))) return true;
    problem(at(file_, node.source()) + ": " + path + " is " + std::string(type_word(node)) +
                "; accepted: " + accepted_text(setting),
            node.source());
    return false;
  }

  static std::string quoted(std::string_view text) {
    const std::string escaped = log_escaped(text);
    return escaped.starts_with('"') ? escaped : '"' + escaped + '"';
  }

  const Role role_;
  const std::string file_;
  LayerValues result_;
  std::map<const Setting*, std::string> seen_;
};

}  // namespace

LayerValues read_toml(Role role, std::string_view text, const std::string& name) {
  try {
    Reader reader(role, name);
    reader.walk(toml::parse(text, name), "");
    return reader.take_result();
  } catch (const toml::parse_error& error) {
    LayerValues result;
    result.problems.push_back(
        {at(name, error.source()) + ": " + std::string(error.description()), {}});
    return result;
  }
}

LayerValues read_file(Role role, const std::filesystem::path& path, const std::string& named_by) {
  const auto refuse = [&](const std::string& why) {
    LayerValues result;
    result.problems.push_back({path.string() + ": " + why + " (named by " + named_by + ')'});
    return result;
  };
  if (std::filesystem::is_directory(path)) return refuse("is a directory; accepted: a TOML file");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return refuse(std::string("cannot be read: ") + std::strerror(errno));
  std::string text(kConfigFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return refuse(std::string("cannot be read: ") + std::strerror(errno));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kConfigFileBytesMax) return refuse("is larger than 1 MiB");
  return read_toml(role, text, path.string());
}

}  // namespace rp::node
