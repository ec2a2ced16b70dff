#include "node/config_text.h"

#include "node/config_layers.h"
#include "node/config_values.h"
#include "node/escape.h"

namespace rp::node {
namespace {

/// Section and last part of "log.level"; the section is empty for a key at the top.
std::pair<std::string_view, std::string_view> split_key(std::string_view key) {
  const auto dot = key.find('.');
  if (dot == key.npos) return {std::string_view(), key};
  return {key.substr(0, dot), key.substr(dot + 1)};
}

std::string scalar(const Setting& setting, const std::string& item) {
  const bool number = !item.empty() && item.find_first_not_of("0123456789") == item.npos;
  const bool bare = (number && takes(setting, ValueType::integer)) || is_switch(setting);
  return bare ? item : json_quoted(item);
}

/// A JSON string is a TOML basic string as well, hence the shared escaping.
std::string toml_value(const Setting& setting, const std::vector<std::string>& items) {
  if (!is_list(setting)) return scalar(setting, items.empty() ? std::string() : items.front());
  std::string text = "[";
  for (const std::string& item : items) {
    if (text.size() > 1) text += ", ";
    text += json_quoted(item);
  }
  return text + ']';
}

/// Calls `line` for each setting of the role under its section heading, sections in order of their
/// first key.
template <class Line>
std::string by_section(Role role, Line line) {
  std::string text;
  std::string_view section;
  std::string_view group;
  for (const Setting& setting : all_settings()) {
    if (!has(setting, role)) continue;
    const auto [setting_section, key] = split_key(setting.key);
    if (setting_section != section) {
      text.append("\n[").append(setting_section).append("]\n");
    } else if (section.empty() && setting.group != group) {
      line(text, nullptr, setting.group);
    }
    section = setting_section;
    group = setting.group;
    line(text, &setting, key);
  }
  return text;
}

}  // namespace

std::string default_file(Role role) {
  std::string text = "# Settings of a RestPipe ";
  text.append(name(role)).append(" node. Each line shows a default; remove the # to change it.\n");
  text += "# Flags and RESTPIPE_* variables are stronger than this file.\n";
  text += by_section(role, [&](std::string& out, const Setting* setting, std::string_view word) {
    if (!setting) {
      out.append("\n# --- ").append(word).append(" ---\n");
      return;
    }
    const std::string fallback(default_text(*setting, role));
    const auto items = is_list(*setting) ? split_list(fallback) : std::vector{fallback};
    std::string sentence(setting->help);
    if (sentence[0] >= 'a' && sentence[0] <= 'z')
      sentence[0] = static_cast<char>(sentence[0] - 'a' + 'A');
    out.append("\n# ").append(sentence).append(".\n");
    out.append("# Accepted: ").append(accepted_text(*setting)).append(".\n");
    out.append("# ").append(word).append(" = ").append(toml_value(*setting, items)).append("\n");
  });
  return text;
}

std::string effective_text(const Config& config) {
  return by_section(config.role,
                    [&](std::string& out, const Setting* setting, std::string_view word) {
                      if (!setting) return;
                      for (const Effective& value : config.values) {
                        if (value.key != setting->key) continue;
                        out.append(word).append(" = ").append(toml_value(*setting, value.items));
                        out.append("  # ").append(value.origin).append("\n");
                      }
                    });
}

}  // namespace rp::node
